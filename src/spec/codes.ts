/** Every code that reading a spec can report. Each has a docs page and a fixture. */
import type { Severity } from '../schema/diagnostic.js';

export interface CodeEntry {
  readonly code: string;
  readonly severity: Severity;
  /** A short phrase with a capital, no full stop. */
  readonly summary: string;
}

const error = (code: string, summary: string): CodeEntry => ({ code, severity: 'error', summary });
const warning = (code: string, summary: string): CodeEntry => ({ code, severity: 'warning', summary });

export const SPEC_CODES: readonly CodeEntry[] = [
  error('action/unknown-kind', 'The kind of an action is unknown'),
  error('admin/no-token', 'The admin API has a TCP address but no token'),
  error('consumer/file', 'A file of consumers declares something else'),
  error('consumer/public-key', 'The public key of a credential cannot be used'),
  error('custom/build', 'The code of a custom policy or action cannot be bundled'),
  error('custom/code', 'The code of a custom policy or action cannot be used'),
  error('custom/lint-error', 'A custom policy or action refuses its settings'),
  warning('custom/lint-warning', 'A custom policy or action warns about its settings'),
  error('expression/no-reply', 'An expression reads the reply before there is one'),
  error('expression/syntax', 'An expression is not valid CEL'),
  error('expression/type', 'An expression has a wrong type, or always fails'),
  error('expression/unknown-name', 'An expression uses an unknown name or function'),
  error('expression/unsupported', 'An expression uses a part of CEL that gw does not support'),
  error('file/not-text', 'A file is not valid UTF-8 text'),
  error('file/too-large', 'A file is larger than 10 MiB'),
  error('file/unreadable', 'A file cannot be read'),
  error('include/cycle', 'Files include each other in a cycle'),
  warning('include/nothing', 'A pattern of `include` or `consumers` matches no file'),
  error('include/too-many', 'The spec includes too many files'),
  error('include/version', 'An included file sets the spec version'),
  error('match/header-name', 'A condition names an invalid header field'),
  error('match/header-twice', 'A match has two conditions on one header field'),
  error('match/host', 'The host of a match is invalid'),
  error('match/method', 'The method of a match is invalid'),
  warning('match/repeated-host', 'A list of hosts contains one host twice'),
  warning('match/unknown-method', 'The method of a match looks like a typing error'),
  error('name/duplicate', 'A name is declared twice'),
  error('name/invalid', 'The name of an entity is invalid'),
  error('name/unresolved', 'A name is used but not declared'),
  error('path/bad-character', 'A path contains a character that is not allowed'),
  error('path/brace', 'A path has an unmatched brace'),
  warning('path/foreign-syntax', 'A path uses the parameter syntax of another router'),
  error('path/never-matches', 'A path segment can never match a normalised path'),
  error('path/no-slash', 'A path does not begin with a slash'),
  error('path/parameter-name', 'The name of a path parameter is invalid'),
  error('path/partial-parameter', 'A path parameter is only part of a segment'),
  error('path/tail-not-last', 'A tail is not the last segment of its path'),
  error('path/unknown-type', 'The type of a path parameter is unknown'),
  error('pattern/invalid', 'A pattern uses an unsupported regular expression'),
  error('plan/not-a-limit', 'A plan sets the limit of a policy that has no limit'),
  error('policy/member', 'A policy composes one that it cannot compose'),
  warning('policy/not-inherited', '`without` names a policy that is not inherited'),
  error('policy/path', 'A policy answers a path that cannot be matched'),
  error('policy/reserved-name', 'A policy has the name of another kind that is reserved'),
  error('policy/unknown-kind', 'The kind of a policy is unknown'),
  error('reference/not-allowed', 'A `${env:}`, `${file:}` or `${vault:}` reference is not allowed here'),
  error('reference/syntax', 'A reference is malformed'),
  error('route/rewrite', 'A rewrite produces a path that cannot be sent'),
  error('schema/empty', 'A value must not be empty'),
  error('schema/format', 'A string has the wrong format'),
  error('schema/key', 'A key has the wrong format'),
  error('schema/missing', 'A required key is missing'),
  error('schema/one-of', 'Not exactly one of several keys is set'),
  error('schema/range', 'A number is out of range'),
  error('schema/type', 'A value has the wrong type'),
  error('schema/unit', 'A duration, size or rate is malformed'),
  error('schema/unknown-key', 'A key is unknown'),
  error('schema/value', 'A value is not one of the allowed values'),
  error('service/policy', 'A service has a policy that acts on the whole request'),
  error('spec/version', 'The spec version is missing or unknown'),
  error('template/syntax', 'A template has an unmatched brace'),
  error('toml/duplicate-key', 'A key or table is defined twice'),
  error('toml/syntax', 'The file is not valid TOML'),
  error('toml/too-deep', 'Values are nested too deeply'),
];
