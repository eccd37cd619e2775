/** Names that other parts of a spec refer to. */
import type { Diagnostic, Span } from '../schema/diagnostic.js';
import { shown } from '../schema/scalars.js';
import { KnownWords, type Suggestion } from '../schema/suggest.js';

/** By name: what was declared right, and what was declared but is wrong, so that one mistake is not reported twice. */
export class DeclaredNames<T> {
  readonly #right = new Map<string, T>();
  readonly #wrong = new Set<string>();
  /** For suggestions; built when the first is asked for. */
  #words: KnownWords | undefined;

  add(name: string, value: T | undefined): void {
    this.#words = undefined;
    if (value === undefined) this.#wrong.add(name);
    else this.#right.set(name, value);
  }

  get(name: string): T | undefined {
    return this.#right.get(name);
  }

  isKnown(name: string): boolean {
    return this.#right.has(name) || this.#wrong.has(name);
  }

  get values(): T[] {
    return [...this.#right.values()];
  }

  get size(): number {
    return this.#right.size + this.#wrong.size;
  }

  /** The first names, those that were declared right before the others. */
  first(most: number): string[] {
    const found: string[] = [];
    for (const names of [this.#right.keys(), this.#wrong]) {
      for (const name of names) {
        if (found.length >= most) return found;
        found.push(name);
      }
    }
    return found;
  }

  /** The name that a wrong one was meant to be. The work of all questions together is bounded. */
  nearest(name: string): Suggestion | undefined {
    this.#words ??= new KnownWords([...this.#right.keys(), ...this.#wrong]);
    return this.#words.nearest(name);
  }
}

/** Makes names that differ: a second `base` gets the number 2. Each base goes on from its last number. */
export class GeneratedNames {
  readonly #taken = new Set<string>();
  readonly #last = new Map<string, number>();

  /** `mark` stands between a base and its number. */
  constructor(readonly mark: string) {}

  /** Notes a name that the spec gives. */
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

/** Names that a help lists at most. */
const MOST_LISTED = 12;

/** `what` is the entity's word. The span is the string (or key) that names it. `more`: a few names that exist beside. */
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
    message: `There is no ${what} named \`${shown(name)}\`.`,
    help:
      near === undefined
        ? `${/^https?:/.test(name) ? 'A URL stands among the `targets` of a service. ' : ''}Declare it as \`${table}\`${
            declared.length > 0
              ? `, or name one of ${declared.join(', ')}${names.size > MOST_LISTED ? ', ...' : ''}`
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
