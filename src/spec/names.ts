/** Names that other parts of a spec refer to. */
import type { Diagnostic, Span } from '../schema/diagnostic.js';
import { shown } from '../schema/scalars.js';
import { isClear, suggest } from '../schema/suggest.js';

/** By name: what was declared right, and what was declared but is wrong, so that one mistake is not reported twice. */
export class Names<T> {
  readonly #right = new Map<string, T>();
  readonly #wrong = new Set<string>();

  add(name: string, value: T | undefined): void {
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

  get all(): string[] {
    return [...this.#right.keys(), ...this.#wrong];
  }
}

/** `what` is the entity's word. The span is the string (or key) that names it. */
export function unresolved(what: string, name: string, span: Span, names: Names<unknown>, isKey = false): Diagnostic {
  const near = suggest(name, names.all);
  const declared = names.all.slice(0, 12).map((known) => `\`${known}\``);
  const table = `[${what}.${/^[A-Za-z0-9_-]+$/.test(name) ? name : 'NAME'}]`;
  return {
    code: 'name/unresolved',
    severity: 'error',
    span,
    message: `There is no ${what} named \`${shown(name)}\`.`,
    help:
      near === undefined
        ? `${/^https?:/.test(name) ? 'A URL stands among the `targets` of a service. ' : ''}Declare it as \`${table}\`${
            declared.length > 0 ? `, or name one of ${declared.join(', ')}${names.all.length > 12 ? ', ...' : ''}` : ''
          }.`
        : `Did you mean \`${near}\`?`,
    ...(near === undefined
      ? {}
      : {
          fix: {
            title: `Write \`${near}\``,
            applicability: isClear(name, near, names.all) ? 'safe' : 'unsafe',
            edits: [{ span, text: isKey && /^[A-Za-z0-9_-]+$/.test(near) ? near : JSON.stringify(near) }],
          },
        }),
  };
}
