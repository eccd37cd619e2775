/** Header fields over the text of a parsed head: lookups search the text, edits are kept beside it. */
import { type ReadyField, readyField } from '../../field-syntax.js';
import { equalsLower, HTAB, SP, trimEnd } from './chars.js';
import { isForwarding, isOwnFraming, isOwnLine } from './own-names.js';

export class HeadFields {
  readonly #text: string;
  readonly #at: number;
  readonly #end: number;
  #removed: string[] | undefined;
  /** The sender is not a trusted proxy: its forwarding fields are invisible. */
  #untrusted = false;
  /** Replaces the Host of the text. */
  #host: string | undefined = undefined;
  /** In order. */
  #added: ReadyField[] | undefined;

  /** Over the validated field lines text[at, end). */
  constructor(text: string, at: number, end: number) {
    this.#text = text;
    this.#at = at;
    this.#end = end;
  }

  /** Whether a policy changed anything. */
  get edited(): boolean {
    return this.#removed !== undefined || this.#added !== undefined;
  }

  get(name: string): string | undefined {
    const key = name.toLowerCase();
    let value: string | undefined;
    if (!this.#removed?.includes(key) && !(this.#untrusted && isForwarding(key)))
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
      if (!this.#removed?.includes(name) && !(this.#untrusted && isForwarding(name)))
        yield [name, this.#host !== undefined && name === 'host' ? this.#host : valueAt(text, colon + 1, eol)];
      line = eol + 2;
    }
    const added = this.#added;
    if (added) for (const { name, value } of added) yield [name, value];
  }

  /**
   * The lines to send: `kept` (lines of the same head, each `name: value CRLF`) without those `listed` by Connection, then
   * gw's `own` lines, both without removed fields, then added fields.
   */
  lines(kept: string, listed: string, own: string): string {
    let out = listed === '' ? kept : withoutNames(kept, listed.split(','));
    const removed = this.#removed;
    if (removed === undefined) out += own;
    else if (removed.some(isOwnLine)) out = withoutNames(out + own, removed);
    else out = withoutNames(out, removed) + own;
    return out + this.#lines();
  }

  #lines(): string {
    let out = '';
    const added = this.#added;
    if (added) for (const { name, line } of added) if (!isOwnFraming(name) && name !== 'host') out += line;
    return out;
  }

  /** The name of the removed field, if that is the only edit; otherwise ''. */
  get removedAlone(): string {
    const removed = this.#removed;
    return removed?.length === 1 && this.#added === undefined ? removed[0]! : '';
  }

  /** The lines of added fields if nothing was removed; otherwise undefined. */
  get addedLines(): string | undefined {
    return this.#removed === undefined ? this.#lines() : undefined;
  }

  /** Makes the forwarding fields of the text invisible to lookups. Does not change what is sent. */
  hideForwarding(): void {
    this.#untrusted = true;
  }

  /** Makes lookups of Host return `authority`. Does not change what is sent. */
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
  // A line shorter than the name may be the end of the text, and charCodeAt() must not read past it (see span()).
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
