/** Header fields. */
import type { ReadyField } from '../field-syntax.js';

/** Header fields as a policy sees them. Names are lower case; values hold no CR, LF or NUL. */
export interface HeaderFields {
  /** All values joined with ', '; undefined when the field is absent. */
  get(name: string): string | undefined;
  /** Replaces every field of that name. Throws TypeError for a name or value that RFC 9110 section 5 forbids. */
  set(name: string, value: string): void;
  append(name: string, value: string): void;
  /** append() of a prepared field, without checking it again. */
  add(field: ReadyField): void;
  remove(name: string): void;
  entries(): Iterable<readonly [name: string, value: string]>;
}
