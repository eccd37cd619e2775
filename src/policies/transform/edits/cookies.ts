/** Edits of the cookies of a request: allow, remove, rename, set, in this order. */
import type { Exchange, Json } from '../../contract.js';
import { cookieField } from '../../kits/cookies.js';
import { EncodedValue } from './url-text.js';

export type CookieSettings = {
  /** Absent: every cookie. */
  readonly allow?: readonly string[];
  readonly remove: readonly string[];
  readonly rename: readonly (readonly [from: string, to: string])[];
  readonly set: readonly (readonly [name: string, parts: readonly Json[]])[];
};

export class CookieEdits {
  readonly #allow: ReadonlySet<string> | undefined;
  readonly #dropped: ReadonlySet<string>;
  readonly #renamed: ReadonlyMap<string, string>;
  readonly #set: readonly (readonly [name: string, value: EncodedValue])[];
  /** For people. */
  readonly summary: string;

  constructor({ allow, remove, rename, set }: CookieSettings) {
    this.#allow = allow === undefined ? undefined : new Set(allow);
    this.#dropped = new Set([...remove, ...set.map(([name]) => name)]);
    this.#renamed = new Map(rename);
    this.#set = set.map(([name, parts]) => [name, new EncodedValue(parts)] as const);
    this.summary = [
      ...(allow === undefined ? [] : [`allow ${allow.join(' ') || 'none'}`]),
      ...remove.map((name) => `remove ${name}`),
      ...rename.map(([from, to]) => `rename ${from} to ${to}`),
      ...set.map(([name]) => `set ${name}`),
    ].join(', ');
  }

  apply(exchange: Exchange): void {
    const { headers } = exchange;
    const given = cookieField(headers);
    const kept = given === undefined ? [] : this.#kept(given);
    for (const [name, value] of this.#set) {
      const text = value.render(exchange);
      if (text !== '') kept.push(`${name}=${text}`);
    }
    const field = kept.join('; ');
    if (field === (given ?? '')) return;
    if (field === '') headers.remove('cookie');
    else headers.set('cookie', field);
  }

  #kept(field: string): string[] {
    const pairs: (readonly [name: string, pair: string])[] = [];
    for (const part of field.split(';')) {
      const pair = part.trim();
      const equals = pair.indexOf('=');
      const name = (equals < 0 ? pair : pair.slice(0, equals)).trim();
      if (pair === '' || this.#allow?.has(name) === false || this.#dropped.has(name)) continue;
      pairs.push([name, pair]);
    }
    if (this.#renamed.size === 0) return pairs.map(([, pair]) => pair);
    // A cookie of the old name takes the place of one that has the new name.
    const replaced = new Set(pairs.flatMap(([name]) => this.#renamed.get(name) ?? []));
    return pairs.flatMap(([name, pair]) => {
      const to = this.#renamed.get(name);
      if (to !== undefined) return [to + pair.slice(name.length)];
      return replaced.has(name) ? [] : [pair];
    });
  }
}
