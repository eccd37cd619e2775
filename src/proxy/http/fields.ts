/** Header fields over the text of a parsed head: looked up where they stand, edited in a thin layer on top. */

import type { HeaderFields, ReadyField } from '../../policies/contract.js';
import { readyField } from '../../policies/run-kit.js';
import { equalsLower, HTAB, SP, trimEnd, trimSpaces } from './chars.js';
import { isForwarding, isOwnFraming, isOwnLine } from './own-names.js';

export class HeadFields implements HeaderFields {
  readonly #text: string;
  readonly #at: number;
  readonly #end: number;
  #removed: string[] | undefined;
  /** The sender is nobody whose word on the way so far counts. */
  #stranger = false;
  /** Stands for the Host of the text. */
  #host: string | undefined = undefined;
  /** In order. */
  #added: ReadyField[] | undefined;

  /** Over the validated field lines text[at, end). */
  constructor(text: string, at: number, end: number) {
    this.#text = text;
    this.#at = at;
    this.#end = end;
  }

  /** Whether anything differs from the text. */
  get edited(): boolean {
    return this.#removed !== undefined || this.#added !== undefined;
  }

  get(name: string): string | undefined {
    const key = name.toLowerCase();
    let value: string | undefined;
    if (!this.#removed?.includes(key) && !(this.#stranger && isForwarding(key)))
      value = this.#host !== undefined && key === 'host' ? this.#host : findField(this.#text, this.#at, this.#end, key);
    const added = this.#added;
    if (added)
      for (const field of added)
        if (field.name === key) value = value === undefined ? field.value : `${value}, ${field.value}`;
    return value;
  }

  set(name: string, value: string): void {
    const field = readyField(name, value);
    this.remove(field.name);
    this.add(field);
  }

  append(name: string, value: string): void {
    this.add(readyField(name, value));
  }

  add(field: ReadyField): void {
    if (this.#added === undefined) this.#added = [field];
    else this.#added.push(field);
  }

  remove(name: string): void {
    const key = name.toLowerCase();
    this.#removed ??= [];
    if (!this.#removed.includes(key)) this.#removed.push(key);
    const added = this.#added;
    if (!added) return;
    for (let i = added.length - 1; i >= 0; i--) if (added[i]!.name === key) added.splice(i, 1);
  }

  *entries(): IterableIterator<readonly [string, string]> {
    const text = this.#text;
    for (let line = this.#at; line < this.#end; ) {
      const colon = text.indexOf(':', line);
      const eol = text.indexOf('\r', colon);
      const name = text.slice(line, colon).toLowerCase();
      if (!this.#removed?.includes(name) && !(this.#stranger && isForwarding(name)))
        yield [name, this.#host !== undefined && name === 'host' ? this.#host : valueAt(text, colon + 1, eol)];
      line = eol + 2;
    }
    const added = this.#added;
    if (added) for (const { name, value } of added) yield [name, value];
  }

  /**
   * The lines to send: `kept` (lines of the same head, each `name: value CRLF`) less those `listed` by Connection, `own`
   * lines of gw, less what was removed, and then what was added.
   */
  lines(kept: string, listed: string, own: string): string {
    let out = listed === '' ? kept : withoutNames(kept, listed.split(','));
    const removed = this.#removed;
    if (removed === undefined) out += own;
    else if (removed.some(isOwnLine)) out = withoutNames(out + own, removed);
    else out = withoutNames(out, removed) + own;
    const added = this.#added;
    if (added) for (const { name, line } of added) if (!isOwnFraming(name) && name !== 'host') out += line;
    return out;
  }

  /** The name of the one field that was taken away, where nothing else was done; '' for several, or for anything added. */
  get removedAlone(): string {
    const removed = this.#removed;
    return removed?.length === 1 && this.#added === undefined ? removed[0]! : '';
  }

  /** The lines of what was added, where nothing was taken away; else undefined. */
  get addedLines(): string | undefined {
    if (this.#removed !== undefined) return undefined;
    let out = '';
    const added = this.#added;
    if (added) for (const { name, line } of added) if (!isOwnFraming(name) && name !== 'host') out += line;
    return out;
  }

  /** Makes the forwarding fields of the text invisible, without any effect on what is sent. */
  hideForwarding(): void {
    this.#stranger = true;
  }

  /** Shows `authority` as the value of Host, without any effect on what is sent. */
  showHost(authority: string): void {
    this.#host = authority;
  }

  /** Whether a policy set, appended or removed this field. `name` in lower case. */
  touched(name: string): boolean {
    if (this.#removed?.includes(name)) return true;
    const added = this.#added;
    return added?.some((field) => field.name === name) ?? false;
  }
}

/** All values of `key` (lower case) among the field lines text[at, end), joined with ', '. */
export function findField(text: string, at: number, end: number, key: string): string | undefined {
  const length = key.length;
  let value: string | undefined;
  // Where the name has no room any more the text may end, and charCodeAt() must not look behind it (see span()).
  for (let line = at; line + length < end; line = text.indexOf('\n', line) + 1) {
    if (text.charCodeAt(line + length) !== 0x3a || !equalsLower(text, line, line + length, key)) continue;
    const one = valueAt(text, line + length + 1, text.indexOf('\r', line + length));
    value = value === undefined ? one : `${value}, ${one}`;
  }
  return value;
}

function valueAt(text: string, start: number, eol: number): string {
  let at = start;
  while (at < eol && (text.charCodeAt(at) === SP || text.charCodeAt(at) === HTAB)) at++;
  return text.slice(at, trimEnd(text, at, eol));
}

function withoutNames(lines: string, names: readonly string[]): string {
  let out = '';
  let runAt = 0;
  for (let line = 0; line < lines.length; ) {
    const next = lines.indexOf('\n', line) + 1;
    const colon = lines.indexOf(':', line);
    for (let i = 0; i < names.length; i++) {
      if (!equalsLower(lines, line, colon, names[i]!)) continue;
      out += lines.slice(runAt, line);
      runAt = next;
      break;
    }
    line = next;
  }
  return runAt === 0 ? lines : out + lines.slice(runAt);
}

/**
 * Whether a value of Expect holds `100-continue`; undefined where it holds anything else. Empty members are none, and a list
 * without members expects nothing: RFC 9110 sections 5.6.1 and 10.1.1.
 */
export function expectsContinue(value: string): boolean | undefined {
  let expected = false;
  for (const item of value.split(',')) {
    const name = trimSpaces(item).toLowerCase();
    if (name === '100-continue') expected = true;
    else if (name !== '') return undefined;
  }
  return expected;
}
