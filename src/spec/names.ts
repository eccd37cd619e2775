/** Names that entities of a spec refer to each other by. */
import type { Diagnostic, Span } from '../schema/diagnostic.js';
import { shown } from '../schema/scalars.js';
import { KnownWords, type Suggestion } from '../schema/suggest.js';
import type { TableEntry } from '../schema/tree.js';

/** Declared entities by name. Also keeps the names of invalid ones, so that references to them are not reported. */
export class DeclaredNames<T> {
  readonly #valid = new Map<string, T>();
  readonly #invalid = new Set<string>();
  /** For suggestions; built on first use. */
  #words: KnownWords | undefined;

  add(name: string, value: T | undefined): void {
    this.#words = undefined;
    if (value === undefined) this.#invalid.add(name);
    else this.#valid.set(name, value);
  }

  get(name: string): T | undefined {
    return this.#valid.get(name);
  }

  isKnown(name: string): boolean {
    return this.#valid.has(name) || this.#invalid.has(name);
  }

  get values(): T[] {
    return [...this.#valid.values()];
  }

  get size(): number {
    return this.#valid.size + this.#invalid.size;
  }

  /** The first names; valid ones first. */
  first(most: number): string[] {
    const found: string[] = [];
    for (const names of [this.#valid.keys(), this.#invalid]) {
      for (const name of names) {
        if (found.length >= most) return found;
        found.push(name);
      }
    }
    return found;
  }

  /** The known name most similar to an unknown one. The total work over all calls is bounded. */
  nearest(name: string): Suggestion | undefined {
    this.#words ??= new KnownWords([...this.#valid.keys(), ...this.#invalid]);
    return this.#words.nearest(name);
  }
}

/** Generates unique names: the second `base` gets the number 2, and so on. */
export class GeneratedNames {
  readonly #taken = new Set<string>();
  readonly #last = new Map<string, number>();

  /** `mark` is put between a base and its number. */
  constructor(readonly mark: string) {}

  /** Reserves a name that the spec uses. */
  add(name: string): void {
    this.#taken.add(name);
  }

  make(base: string): string {
    let number = this.#last.get(base) ?? 1;
    let name = number === 1 ? base : `${base}${this.mark}${number}`;
    while (this.#taken.has(name)) name = `${base}${this.mark}${++number}`;
    this.#last.set(base, number);
    this.#taken.add(name);
    return name;
  }
}

export const invalidName = (word: string, { key, keySpan }: TableEntry): Diagnostic => ({
  code: 'name/invalid',
  severity: 'error',
  span: keySpan,
  message: `\`${key.slice(0, 60)}\` is not a valid ${word} name.`,
  help: 'A name begins with a letter or digit, followed by letters, digits, `_`, `-` and `.`.',
  entity: `${word}.${key}`,
});

export const notTable = (word: string, { key, keySpan }: TableEntry): Diagnostic => ({
  code: 'schema/type',
  severity: 'error',
  span: keySpan,
  message: `Expected a table for ${word} \`${key}\`, found a value.`,
  help: `Write \`[${word}.NAME]\` and its keys below.`,
  entity: `${word}.${key}`,
});

/** Maximum number of names listed in a help. */
const MOST_LISTED = 12;

/** The diagnostic for an unknown name. `what`: kind of entity. `span`: the string or key. `more`: further valid names. */
export function unresolved(
  what: string,
  name: string,
  span: Span,
  names: DeclaredNames<unknown>,
  { isKey = false, more = [] }: { readonly isKey?: boolean; readonly more?: readonly string[] } = {},
): Diagnostic {
  const near = names.nearest(name) ?? new KnownWords(more).nearest(name);
  const declared = names.first(MOST_LISTED).map((known) => `\`${known}\``);
  const table = `[${what}.${/^[A-Za-z0-9_-]+$/.test(name) ? name : 'NAME'}]`;
  return {
    code: 'name/unresolved',
    severity: 'error',
    span,
    message: `Unknown ${what} \`${shown(name)}\`.`,
    help:
      near === undefined
        ? `${/^https?:/.test(name) ? 'Write a URL in the `targets` of a service. ' : ''}Declare it as \`${table}\`${
            declared.length > 0
              ? `, or use one of ${declared.join(', ')}${names.size > MOST_LISTED ? ', ...' : ''}`
              : ''
          }.`
        : `Did you mean \`${near.word}\`?`,
    ...(near === undefined
      ? {}
      : {
          fix: {
            title: `Write \`${near.word}\``,
            applicability: near.isClear ? 'safe' : 'unsafe',
            edits: [
              { span, text: isKey && /^[A-Za-z0-9_-]+$/.test(near.word) ? near.word : JSON.stringify(near.word) },
            ],
          },
        }),
  };
}
