/** Header fields of a message. HTTP/1.1: lookups search the text of the parsed head, edits are kept beside it. */
import { assertReady, type ReadyField, readyField } from '../../field-syntax.js';
import { equalsLower, HTAB, SP, trimEnd } from './chars.js';
import { isForwarding, isOwnFraming, isOwnLine } from './own-names.js';

/** A request's fields, as received and as policies edit them. Each codec has its own implementation. */
export interface RequestFields {
  /** All values joined with ', ', with edits. */
  get(name: string): string | undefined;
  set(name: string, value: string): void;
  append(name: string, value: string): void;
  add(field: ReadyField): void;
  remove(name: string): void;
  entries(): Iterable<readonly [name: string, value: string]>;
  /** The same fields with the same edits, to be edited on their own. */
  copy(): RequestFields;
  /** Whether a policy changed anything. */
  readonly edited: boolean;
  /** Whether a policy set, appended or removed this field. `name` in lower case. */
  touched(name: string): boolean;
  /** The name of the removed field, if that is the only edit; otherwise ''. */
  readonly removedAlone: string;
  /** All values as the client sent them, trusted or not. `name` in lower case. */
  received(name: string): string | undefined;
  /** All fields as the client sent them. Names in lower case. */
  receivedEntries(): Iterable<readonly [name: string, value: string]>;
  /** Makes forwarding fields invisible to lookups. Does not change what is sent. */
  hideForwarding(): void;
  /** Makes lookups of Host return `authority`. Does not change what is sent. */
  showHost(authority: string): void;
  /**
   * The lines that an HTTP/1.1 target gets: end-to-end fields, without Host and forwarding fields, then gw's `own` lines,
   * both as edited.
   */
  lines(own: string): string;
  /** The text of the HTTP/1.1 head that they were parsed from; '' with another codec. */
  readonly text: string;
  /** The edits so far, for restore(). */
  edits(): FieldEdits;
  /** Undoes all edits since edits() returned these. */
  restore(edits: FieldEdits): void;
  /** Of that text, the lines to send if nothing is edited or `listed`; equal lines of two requests are equal texts. */
  readonly kept: string;
  /** Names that Connection lists: comma-separated, lower case. */
  readonly listed: string;
}

/** What policies have removed and added. */
export interface FieldEdits {
  readonly removed: readonly string[] | undefined;
  readonly added: readonly ReadyField[] | undefined;
}

export class HeadFields implements RequestFields {
  readonly text: string;
  readonly kept: string;
  readonly listed: string;
  readonly #at: number;
  readonly #end: number;
  #removed: string[] | undefined;
  /** The sender is not a trusted proxy: its forwarding fields are invisible. */
  #untrusted = false;
  /** Replaces the Host of the text. */
  #host: string | undefined = undefined;
  /** In order. */
  #added: ReadyField[] | undefined;

  /** Over the validated field lines text[at, end). `kept` are those to send, apart from those `listed` by Connection. */
  constructor(text: string, at: number, end: number, kept: string, listed: string) {
    this.text = text;
    this.kept = kept;
    this.listed = listed;
    this.#at = at;
    this.#end = end;
  }

  copy(): HeadFields {
    const copy = new HeadFields(this.text, this.#at, this.#end, this.kept, this.listed);
    copy.#untrusted = this.#untrusted;
    copy.#host = this.#host;
    copy.#removed = this.#removed?.slice();
    copy.#added = this.#added?.slice();
    return copy;
  }

  received(name: string): string | undefined {
    return findField(this.text, this.#at, this.#end, name);
  }

  *receivedEntries(): IterableIterator<readonly [string, string]> {
    const { text } = this;
    for (let line = this.#at; line < this.#end; ) {
      const colon = text.indexOf(':', line);
      const eol = text.indexOf('\r', colon);
      yield [text.slice(line, colon).toLowerCase(), valueAt(text, colon + 1, eol)];
      line = eol + 2;
    }
  }

  get edited(): boolean {
    return this.#removed !== undefined || this.#added !== undefined;
  }

  get(name: string): string | undefined {
    const key = name.toLowerCase();
    let value: string | undefined;
    if (!this.#removed?.includes(key) && !(this.#untrusted && isForwarding(key)))
      value = this.#host !== undefined && key === 'host' ? this.#host : this.received(key);
    const added = this.#added;
    if (added)
      for (const field of added)
        if (field.name === key) value = value === undefined ? field.value : `${value}, ${field.value}`;
    return value;
  }

  set(name: string, value: string): void {
    const field = readyField(name, value);
    this.remove(field.name);
    this.#push(field);
  }

  append(name: string, value: string): void {
    this.#push(readyField(name, value));
  }

  add(field: ReadyField): void {
    assertReady(field);
    this.#push(field);
  }

  #push(field: ReadyField): void {
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

  edits(): FieldEdits {
    return { removed: this.#removed?.slice(), added: this.#added?.slice() };
  }

  restore({ removed, added }: FieldEdits): void {
    this.#removed = removed?.slice();
    this.#added = added?.slice();
  }

  *entries(): IterableIterator<readonly [string, string]> {
    for (const field of this.receivedEntries()) {
      const [name] = field;
      if (!this.#removed?.includes(name) && !(this.#untrusted && isForwarding(name)))
        yield this.#host !== undefined && name === 'host' ? [name, this.#host] : field;
    }
    const added = this.#added;
    if (added) for (const { name, value } of added) yield [name, value];
  }

  lines(own: string): string {
    const { kept, listed } = this;
    if (listed === '' && !this.edited) return kept + own;
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

  get removedAlone(): string {
    const removed = this.#removed;
    return removed?.length === 1 && this.#added === undefined ? removed[0]! : '';
  }

  hideForwarding(): void {
    this.#untrusted = true;
  }

  showHost(authority: string): void {
    this.#host = authority;
  }

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
