/** Every code that reading a spec can report. Each has a page in the docs and a fixture. */
import type { Severity } from '../schema/diagnostic.js';

export interface CodeEntry {
  readonly code: string;
  readonly severity: Severity;
  /** One line, no full stop. */
  readonly summary: string;
}

const error = (code: string, summary: string): CodeEntry => ({ code, severity: 'error', summary });
const warning = (code: string, summary: string): CodeEntry => ({ code, severity: 'warning', summary });

export const SPEC_CODES: readonly CodeEntry[] = [
  error('admin/no-token', 'the admin API has a TCP address but no token'),
  error('file/not-text', 'a file is not UTF-8 text'),
  error('file/too-large', 'a file is larger than 10 MiB'),
  error('file/unreadable', 'a file cannot be read'),
  error('include/cycle', 'files include one another in a circle'),
  warning('include/nothing', 'a pattern in `include` matches no file'),
  error('include/too-many', 'the includes lead to too many files'),
  error('include/version', 'an included file names the version of the language'),
  error('match/header-name', 'a condition is on something that is no header name'),
  error('match/header-twice', 'a match has two conditions on one header field'),
  error('match/host', 'the host of a match is no host name'),
  error('match/method', 'the method of a match is none'),
  warning('match/repeated-host', 'a list of hosts holds one twice'),
  warning('match/unknown-method', 'the method of a match is nearly a common one'),
  error('name/duplicate', 'something is declared twice'),
  error('name/invalid', 'an entity has a name that it cannot have'),
  error('name/unresolved', 'a name is used that nothing declares'),
  error('path/bad-character', 'a path holds a character that never stands in one'),
  error('path/brace', 'a brace in a path has no partner'),
  warning('path/foreign-syntax', "a path holds another router's parameter syntax"),
  error('path/never-matches', 'no normalised path can match a segment'),
  error('path/no-slash', 'a path does not begin with a slash'),
  error('path/parameter-name', 'a path parameter has no valid name'),
  error('path/partial-parameter', 'a path parameter is only part of a segment'),
  error('path/tail-not-last', 'something stands behind a tail'),
  error('path/unknown-type', 'a path parameter has a type that is not known'),
  error('pattern/invalid', 'a pattern is outside the safe subset of regular expressions'),
  error('plan/not-a-limit', 'a plan sets the limit of a policy that has none'),
  warning('policy/not-inherited', '`without` names a policy that neither defaults nor groups bring'),
  error('policy/unknown-kind', 'a policy is of a kind that does not exist'),
  error('reference/not-allowed', 'a `${env:}` or `${file:}` reference stands where none can'),
  error('reference/syntax', 'a reference is malformed'),
  error('route/rewrite', 'a rewrite can never be sent to a target'),
  error('schema/empty', 'a value is empty that must not be'),
  error('schema/format', 'a string does not have the form it must have'),
  error('schema/key', 'a key of a table does not have the form it must have'),
  error('schema/missing', 'a key is missing'),
  error('schema/one-of', 'of several keys exactly one must be set'),
  error('schema/range', 'a number is out of range'),
  error('schema/type', 'a value is of the wrong type'),
  error('schema/unit', 'a duration, size or rate is not written as one'),
  error('schema/unknown-key', 'a key is not known'),
  error('schema/value', 'a value is none of those allowed'),
  error('spec/version', 'the version of the language is missing or not known'),
  error('template/syntax', 'the braces of a template are wrong'),
  error('toml/duplicate-key', 'a key or table is set twice'),
  error('toml/syntax', 'the file is not valid TOML'),
  error('toml/too-deep', 'values are nested too deep'),
];
