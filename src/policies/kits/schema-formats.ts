/** Formats of strings that are checked as automata: common expressions for them backtrack on hostile texts. */
import type { FormatName } from 'ajv-formats';

const ATEXT = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
const ESCAPED = '%[0-9A-Fa-f]{2}';
const PCHAR = `(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|${ESCAPED})`;
const USER = `(?:(?:[A-Za-z0-9._~!$&'()*+,;=:-]|${ESCAPED})*@)?`;
const HOST = `(?:\\[[0-9A-Fa-f:.]+\\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|${ESCAPED})*)`;
const REST = `(?:/|${PCHAR})*(?:\\?(?:[/?]|${PCHAR})*)?(?:#(?:[/?]|${PCHAR})*)?`;
const SCHEME = '[A-Za-z][A-Za-z0-9+.-]*:';
const AUTHORITY = `//${USER}${HOST}(?::[0-9]*)?`;

/** By name of the format: a pattern for the whole text. RFC 5321, RFC 1123, RFC 3986. */
export const FORMAT_PATTERNS: { readonly [name: string]: string } = {
  email: `^${ATEXT}(?:\\.${ATEXT})*@${LABEL}(?:\\.${LABEL})*$`,
  hostname: `^(?=.{1,253}$)${LABEL}(?:\\.${LABEL})*\\.?$`,
  uri: `^${SCHEME}(?:${AUTHORITY})?${REST}$`,
  url: `^(?:https?|ftp)://${USER}${HOST}(?::[0-9]*)?${REST}$`,
  'uri-reference': `^(?:${SCHEME})?(?:${AUTHORITY})?${REST}$`,
};

/** Formats that the package checks in time linear in the text. All other names are not checked. */
export const LINEAR_FORMATS = [
  'binary',
  'byte',
  'date',
  'date-time',
  'double',
  'duration',
  'float',
  'int32',
  'int64',
  'ipv4',
  'ipv6',
  'iso-date-time',
  'iso-time',
  'json-pointer',
  'password',
  'regex',
  'relative-json-pointer',
  'time',
  'uuid',
] as const satisfies readonly FormatName[];
