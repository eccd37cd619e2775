/** Edits of the query that a target gets: allow, remove, rename, set, add, in this order. Kept parameters stay byte for byte. */
import type { Exchange, Json } from '../../contract.js';
import { decodeQuery, firstValue } from '../../run-kit.js';
import { EncodedValue, encodeText } from './url-text.js';

export type QuerySettings = {
  /** Absent: every parameter. */
  readonly allow?: readonly string[];
  readonly remove: readonly string[];
  readonly rename: readonly (readonly [from: string, to: string])[];
  readonly set: readonly (readonly [name: string, parts: readonly Json[]])[];
  readonly add: readonly (readonly [name: string, parts: readonly Json[]])[];
};

/** `key`: name and equals sign, encoded. */
interface Written {
  readonly key: string;
  readonly value: EncodedValue;
}

export class QueryEdits {
  readonly #allow: ReadonlySet<string> | undefined;
  /** Removed, or set anew. */
  readonly #dropped: ReadonlySet<string>;
  /** Encoded new names. */
  readonly #renamed: ReadonlyMap<string, string>;
  /** The old names by the new ones. */
  readonly #sources: ReadonlyMap<string, string>;
  readonly #filters: boolean;
  readonly #written: readonly Written[];
  /** For people. */
  readonly summary: string;

  constructor({ allow, remove, rename, set, add }: QuerySettings) {
    this.#allow = allow === undefined ? undefined : new Set(allow);
    this.#dropped = new Set([...remove, ...set.map(([name]) => name)]);
    this.#renamed = new Map(rename.map(([from, to]) => [from, encodeText(to)]));
    this.#sources = new Map(rename.map(([from, to]) => [to, from]));
    this.#filters = allow !== undefined || this.#dropped.size + rename.length > 0;
    this.#written = [...set, ...add].map(([name, parts]) => ({
      key: `${encodeText(name)}=`,
      value: new EncodedValue(parts),
    }));
    this.summary = [
      ...(allow === undefined ? [] : [`allow ${allow.join(' ') || 'none'}`]),
      ...remove.map((name) => `remove ${name}`),
      ...rename.map(([from, to]) => `rename ${from} to ${to}`),
      ...set.map(([name]) => `set ${name}`),
      ...add.map(([name]) => `add ${name}`),
    ].join(', ');
  }

  apply(exchange: Exchange): void {
    const given = exchange.query;
    let query = given === '' || !this.#filters ? given : this.#filtered(given);
    for (const { key, value } of this.#written) {
      const text = value.render(exchange);
      if (text !== '') query += query === '' ? key + text : `&${key}${text}`;
    }
    if (query !== given) exchange.query = query;
  }

  #filtered(query: string): string {
    let kept = '';
    for (let at = 0; at < query.length; ) {
      const amp = query.indexOf('&', at);
      const end = amp < 0 ? query.length : amp;
      const equals = query.indexOf('=', at);
      const nameEnd = equals < 0 || equals > end ? end : equals;
      if (end > at) {
        const name = decodeQuery(query.slice(at, nameEnd));
        if (this.#keeps(name, query)) {
          const pair = (this.#renamed.get(name) ?? query.slice(at, nameEnd)) + query.slice(nameEnd, end);
          kept += kept === '' ? pair : `&${pair}`;
        }
      }
      at = end + 1;
    }
    return kept;
  }

  #keeps(name: string, query: string): boolean {
    if (this.#allow?.has(name) === false || this.#dropped.has(name)) return false;
    const source = this.#sources.get(name);
    // A parameter of the old name takes its place.
    return source === undefined || !this.#passes(source) || firstValue(query, source) === undefined;
  }

  #passes(name: string): boolean {
    return this.#allow?.has(name) !== false && !this.#dropped.has(name);
  }
}
