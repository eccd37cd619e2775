/** Edits of the query that a target gets: allow, remove, rename, set, add, in this order. Kept parameters stay byte for byte. */
import type { Exchange, Json } from '../../contract.js';
import { decodeQuery } from '../../run-kit.js';
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

/** A new name, and how it is written. */
interface Renamed {
  readonly name: string;
  readonly text: string;
}

const NONE: ReadonlySet<string> = new Set();

export class QueryEdits {
  readonly #allow: ReadonlySet<string> | undefined;
  /** Removed, or set anew. */
  readonly #dropped: ReadonlySet<string>;
  readonly #renamed: ReadonlyMap<string, Renamed>;
  readonly #filters: boolean;
  readonly #written: readonly Written[];
  /** For people. */
  readonly summary: string;

  constructor({ allow, remove, rename, set, add }: QuerySettings) {
    this.#allow = allow === undefined ? undefined : new Set(allow);
    this.#dropped = new Set([...remove, ...set.map(([name]) => name)]);
    this.#renamed = new Map(rename.map(([from, to]) => [from, { name: to, text: encodeText(to) }]));
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
    if (query === given) return;
    exchange.shownQuery ??= given;
    exchange.query = query;
  }

  #filtered(query: string): string {
    const taken = this.#renamed.size === 0 ? NONE : this.#taken(query);
    let kept = '';
    for (let at = 0; at < query.length; ) {
      const amp = query.indexOf('&', at);
      const end = amp < 0 ? query.length : amp;
      if (end > at) {
        const nameEnd = endOfName(query, at, end);
        const name = decodeQuery(query.slice(at, nameEnd));
        const renamed = this.#renamed.get(name);
        if (this.#passes(name) && (renamed !== undefined || !taken.has(name))) {
          const pair = (renamed?.text ?? query.slice(at, nameEnd)) + query.slice(nameEnd, end);
          kept += kept === '' ? pair : `&${pair}`;
        }
      }
      at = end + 1;
    }
    return kept;
  }

  /** The new names that parameters of this query get. Those that have such a name already make room. */
  #taken(query: string): ReadonlySet<string> {
    const taken = new Set<string>();
    for (let at = 0; at < query.length; ) {
      const amp = query.indexOf('&', at);
      const end = amp < 0 ? query.length : amp;
      const name = decodeQuery(query.slice(at, endOfName(query, at, end)));
      const renamed = this.#passes(name) ? this.#renamed.get(name) : undefined;
      if (renamed !== undefined && end > at) taken.add(renamed.name);
      at = end + 1;
    }
    return taken;
  }

  #passes(name: string): boolean {
    return this.#allow?.has(name) !== false && !this.#dropped.has(name);
  }
}

/** `end`: of the pair that begins at `at`. */
function endOfName(query: string, at: number, end: number): number {
  for (let nameEnd = at; nameEnd < end; nameEnd++) if (query.charCodeAt(nameEnd) === 0x3d) return nameEnd;
  return end;
}
