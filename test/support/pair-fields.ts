/** A request's fields as a codec that reads no text has them: pairs of names in lower case and values. */
import { type ReadyField, readyField } from '../../src/field-syntax.js';
import type { FieldEdits, RequestFields } from '../../src/proxy/http/fields.js';
import { isForwarding, isOwnFraming } from '../../src/proxy/http/own-names.js';

export type Pair = readonly [name: string, value: string];

const joined = (pairs: readonly Pair[], name: string): string | undefined => {
  const values = pairs.filter(([key]) => key === name).map(([, value]) => value);
  return values.length === 0 ? undefined : values.join(', ');
};

export class PairFields implements RequestFields {
  readonly text = '';
  readonly kept = '';
  readonly listed = '';
  readonly #received: readonly Pair[];
  readonly #removed = new Set<string>();
  readonly #added: ReadyField[] = [];
  #hidden = false;
  #host: string | undefined;

  constructor(received: readonly Pair[]) {
    this.#received = received;
  }

  received(name: string): string | undefined {
    return joined(this.#received, name);
  }

  copy(): PairFields {
    const copy = new PairFields(this.#received);
    copy.restore(this.edits());
    copy.#hidden = this.#hidden;
    copy.#host = this.#host;
    return copy;
  }

  edits(): FieldEdits {
    return { removed: [...this.#removed], added: [...this.#added] };
  }

  restore({ removed = [], added = [] }: FieldEdits): void {
    this.#removed.clear();
    for (const name of removed) this.#removed.add(name);
    this.#added.splice(0, this.#added.length, ...added);
  }

  receivedEntries(): readonly Pair[] {
    return this.#received;
  }

  get edited(): boolean {
    return this.#removed.size > 0 || this.#added.length > 0;
  }

  touched(name: string): boolean {
    return this.#removed.has(name) || this.#added.some((field) => field.name === name);
  }

  get removedAlone(): string {
    const [name = ''] = this.#removed;
    return this.#removed.size === 1 && this.#added.length === 0 ? name : '';
  }

  get(name: string): string | undefined {
    return joined([...this.entries()], name.toLowerCase());
  }

  set(name: string, value: string): void {
    this.remove(name);
    this.append(name, value);
  }

  append(name: string, value: string): void {
    this.add(readyField(name, value));
  }

  add(field: ReadyField): void {
    this.#added.push(field);
  }

  remove(name: string): void {
    const key = name.toLowerCase();
    this.#removed.add(key);
    for (let at = this.#added.length - 1; at >= 0; at--) if (this.#added[at]!.name === key) this.#added.splice(at, 1);
  }

  entries(): readonly Pair[] {
    const shown = this.#received
      .filter(([name]) => !this.#removed.has(name) && !(this.#hidden && isForwarding(name)))
      .map(([name, value]): Pair => [name, name === 'host' ? (this.#host ?? value) : value]);
    return [...shown, ...this.#added.map(({ name, value }): Pair => [name, value])];
  }

  hideForwarding(): void {
    this.#hidden = true;
  }

  showHost(authority: string): void {
    this.#host = authority;
  }

  lines(own: string): string {
    const isSent = (name: string): boolean => !isOwnFraming(name) && name !== 'host';
    const received = this.#received.filter(([name]) => isSent(name) && !isForwarding(name) && !this.#removed.has(name));
    const ownLines = own.split(/(?<=\r\n)/).filter((line) => !this.#removed.has(line.split(':')[0]!.toLowerCase()));
    const added = this.#added.filter(({ name }) => isSent(name)).map(({ line }) => line);
    return [...received.map(([name, value]) => `${name}: ${value}\r\n`), ...ownLines, ...added].join('');
  }
}
