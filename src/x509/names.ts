/** Names in certificates: distinguished names (RFC 5280 section 4.1.2.4, RFC 4514) and alternative names (section 4.2.1.6). */
import { isIP } from 'node:net';
import { contextTag, type DerElement, DerError, DerReader, readOid, readSingle, Tag } from './der.js';

/** Attribute types with a short name in RFC 4514 section 3, and the usual others as OpenSSL names them. */
const SHORT: { readonly [oid: string]: string } = {
  '2.5.4.3': 'CN',
  '2.5.4.4': 'SN',
  '2.5.4.5': 'serialNumber',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.9': 'street',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '2.5.4.12': 'title',
  '2.5.4.42': 'GN',
  '2.5.4.97': 'organizationIdentifier',
  '0.9.2342.19200300.100.1.1': 'UID',
  '0.9.2342.19200300.100.1.25': 'DC',
  '1.2.840.113549.1.9.1': 'emailAddress',
};
const TYPES = new Map(Object.values(SHORT).map((name) => [name.toLowerCase(), name]));

interface Attribute {
  readonly type: string;
  readonly value: string;
}

/** A distinguished name: its relative names in the order of the certificate, from the widest on. */
export class DistinguishedName {
  readonly #parts: readonly (readonly Attribute[])[];

  private constructor(parts: readonly (readonly Attribute[])[]) {
    this.#parts = parts;
  }

  /** `content`: of the Name's SEQUENCE. */
  static read(content: Buffer): DistinguishedName {
    const parts: Attribute[][] = [];
    for (const reader = new DerReader(content); !reader.done; ) {
      const set = reader.enter(Tag.Set);
      const part: Attribute[] = [];
      while (!set.done) {
        const attribute = set.enter();
        const oid = readOid(attribute.next(Tag.Oid).content);
        part.push({ type: SHORT[oid] ?? oid, value: textOf(attribute.next()) });
        attribute.end();
      }
      parts.push(part);
    }
    return new DistinguishedName(parts);
  }

  /** From the text form of RFC 4514: `CN=orders,O=Acme`. Undefined if it is not valid. */
  static parse(text: string): DistinguishedName | undefined {
    const parts: Attribute[][] = [];
    let part: Attribute[] = [];
    for (let at = 0; ; ) {
      const found = /^\s*([A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)\s*=\s*/.exec(text.slice(at));
      if (found === null) return undefined;
      at += found[0].length;
      const value = readValue(text, at);
      if (value === undefined) return undefined;
      const type = found[1]!;
      part.push({ type: TYPES.get(type.toLowerCase()) ?? SHORT[type] ?? type, value: value.text });
      at = value.end;
      const separator = text[at];
      if (separator !== '+') {
        parts.push(part);
        part = [];
      }
      if (separator === undefined) return new DistinguishedName(parts.reverse());
      at++;
    }
  }

  /** As RFC 4514 writes it, the most specific part first: `CN=orders,O=Acme`. Equal names have equal texts. */
  get text(): string {
    return [...this.#parts]
      .reverse()
      .map((part) =>
        part
          .map(({ type, value }) => `${type}=${escaped(value)}`)
          .sort()
          .join('+'),
      )
      .join(',');
  }

  /** One attribute on a line, as OpenSSL prints them: `O=Acme`, `CN=orders`. */
  get lines(): string {
    return this.#parts
      .flat()
      .map(({ type, value }) => `${type}=${value}`)
      .join('\n');
  }

  /** The values of an attribute, by its short name. */
  valuesOf(type: string): string[] {
    return this.#parts.flat().flatMap((attribute) => (attribute.type === type ? [attribute.value] : []));
  }
}

/** RFC 4514 section 2.4. */
const escaped = (value: string): string =>
  value
    .replace(/[\\"+,;<>]/g, '\\$&')
    .replace(/[\u0000-\u001f\u007f]/g, (char) => `\\${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
    .replace(/^[ #]|(?<=.) $/g, '\\$&');

/** A value up to the next separator that is not escaped. */
function readValue(text: string, from: number): { readonly text: string; readonly end: number } | undefined {
  const bytes: number[] = [];
  let kept = 0;
  let at = from;
  for (; at < text.length && !',+;'.includes(text[at]!); at++) {
    const char = text[at]!;
    if (char === '"' || char === '<' || char === '>') return undefined;
    if (char !== '\\') {
      const whole = String.fromCodePoint(text.codePointAt(at)!);
      bytes.push(...Buffer.from(whole));
      at += whole.length - 1;
      if (char !== ' ') kept = bytes.length;
      continue;
    }
    const hex = /^[0-9A-Fa-f]{2}/.exec(text.slice(at + 1, at + 3))?.[0];
    const next = text[at + 1];
    if (hex !== undefined) bytes.push(Number.parseInt(hex, 16));
    else if (next !== undefined && ' "#+,;<=>\\'.includes(next)) bytes.push(next.charCodeAt(0));
    else return undefined;
    kept = bytes.length;
    at += hex === undefined ? 1 : 2;
  }
  if (text[at] === ';') return undefined;
  // Spaces at the end count only if they are escaped.
  return { text: Buffer.from(bytes.slice(0, kept)).toString('utf8'), end: at };
}

/** A string of one of the types that names use. */
function textOf({ tag, content }: DerElement): string {
  switch (tag) {
    case Tag.Utf8String:
      return utf8(content);
    case Tag.PrintableString:
    case Tag.Ia5String:
    case Tag.TeletexString:
      return content.toString('latin1');
    case Tag.BmpString: {
      if (content.length % 2 !== 0) throw new DerError('a string is cut off');
      return Buffer.from(content).swap16().toString('utf16le');
    }
    case Tag.UniversalString: {
      if (content.length % 4 !== 0) throw new DerError('a string is cut off');
      let text = '';
      for (let at = 0; at < content.length; at += 4) {
        const point = content.readUInt32BE(at);
        if (point > 0x10ffff) throw new DerError('a string is not valid');
        text += String.fromCodePoint(point);
      }
      return text;
    }
    default:
      // Values of other types are compared as their bytes, RFC 4514 section 2.4.
      return `#${content.toString('hex')}`;
  }
}

function utf8(content: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    throw new DerError('a string is not UTF-8');
  }
}

/** The alternative names of a certificate, by kind, as they are encoded: no escapes, no joined lists. */
export interface AlternativeNames {
  readonly dns: readonly string[];
  readonly uri: readonly string[];
  readonly email: readonly string[];
  readonly ip: readonly string[];
}

export const NO_NAMES: AlternativeNames = { dns: [], uri: [], email: [], ip: [] };

/** `content`: of the extension's value. Names of other kinds are left out. */
export function readAlternativeNames(content: Buffer): AlternativeNames {
  const names = { dns: [] as string[], uri: [] as string[], email: [] as string[], ip: [] as string[] };
  for (const reader = new DerReader(readSingle(content).content); !reader.done; ) {
    const { tag, content: value } = reader.next();
    if (tag === contextTag(1, false)) names.email.push(ascii(value));
    else if (tag === contextTag(2, false)) names.dns.push(ascii(value));
    else if (tag === contextTag(6, false)) names.uri.push(ascii(value));
    else if (tag === contextTag(7, false)) names.ip.push(addressOf(value));
  }
  return names;
}

/** An IA5String. A control character, such as the NUL of an old attack, makes the certificate invalid. */
function ascii(content: Buffer): string {
  for (const byte of content) if (byte < 0x20 || byte > 0x7e) throw new DerError('an alternative name is not ASCII');
  return content.toString('latin1');
}

function addressOf(content: Buffer): string {
  if (content.length === 4) return content.join('.');
  if (content.length !== 16) throw new DerError('an address has another length than 4 or 16 bytes');
  const groups: string[] = [];
  for (let at = 0; at < 16; at += 2) groups.push(content.readUInt16BE(at).toString(16));
  // The URL parser shortens it as RFC 5952 says.
  const text = new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
  return isIP(text) === 6 ? text : groups.join(':');
}
