/** Members of objects that arrive as texts, and names with brackets. */
import type { Json } from '../contract.js';
import type { ParameterEntry } from './schema.js';

/** A text as JSON Schema sees it: a number or a boolean if the schema accepts one and the text is one. */
export function typed(text: string, types: readonly string[]): Json {
  for (const type of types) {
    // Targets read `1e3` as an integer differently: as 1, as 1000, or not at all.
    if (type === 'integer' && /^-?(?:0|[1-9]\d*)$/.test(text)) return Number(text);
    if (type === 'number' && /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text)) return Number(text);
    if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
    if (type === 'null' && text === '') return null;
  }
  return text;
}

/** Members that arrive one by one. A name that occurs several times has a list of values. */
export class Members {
  readonly #values = new Map<string, Json[]>();

  get size(): number {
    return this.#values.size;
  }

  add(name: string, value: Json): void {
    const before = this.#values.get(name);
    if (before === undefined) this.#values.set(name, [value]);
    else before.push(value);
  }

  /** Any name is a member, also `__proto__`. */
  object(): Json {
    return Object.fromEntries([...this.#values].map(([name, list]) => [name, list.length === 1 ? list[0]! : list]));
  }
}

/** Levels of brackets that are read; deeper ones count for the last. */
const MAX_LEVELS = 8;

type Described = Pick<ParameterEntry, 'types' | 'items' | 'inside'>;
const UNKNOWN: Described = { types: [], items: [] };

/**
 * `filter[color]=red&filter[size][min]=3`. OpenAPI defines one level of brackets, for `deepObject`. Many targets read them after
 * the name of any parameter, and several levels, so the values are what such a target gets, for the schema to judge.
 */
export class BracketTree {
  readonly #texts: string[] = [];
  readonly #below = new Map<string, BracketTree>();

  /** `rest`: the name from its first bracket on. */
  add(rest: string, text: string): void {
    let tree: BracketTree = this;
    for (const key of rest
      .slice(1, rest.endsWith(']') ? -1 : undefined)
      .split('][')
      .slice(0, MAX_LEVELS)) {
      let next = tree.#below.get(key);
      if (next === undefined) {
        next = new BracketTree();
        tree.#below.set(key, next);
      }
      tree = next;
    }
    tree.#texts.push(text);
  }

  /** `beside`: values of the same name without brackets. */
  value({ types, items, inside = {} }: Described, beside: readonly string[] = this.#texts): Json {
    if (this.#below.size === 0) {
      if (types.includes('array')) return beside.map((text) => typed(text, items));
      return beside.length === 1 ? typed(beside[0]!, types) : beside.map((text) => typed(text, types));
    }
    const list = this.#below.get('');
    if (list !== undefined && this.#below.size === 1) {
      return [...beside.map((text) => typed(text, items)), ...list.#texts.map((text) => typed(text, items))];
    }
    const members = new Members();
    for (const [name, tree] of this.#below) {
      members.add(name, tree.value(Object.hasOwn(inside, name) ? inside[name]! : { ...UNKNOWN, types: items }));
    }
    return beside.length === 0 ? members.object() : [members.object(), ...beside];
  }
}
