/** Functions over arrays and objects that are bounded beyond the price of their arguments. */
import { type Bounded, type Budget, isProgramFunction } from './budget.js';
import { JsonataFault } from './fault.js';

type Callback = ((...args: unknown[]) => unknown) & { arity?: number };

export const LIST_FUNCTIONS: Readonly<Record<string, Bounded>> = {
  boolean(budget, call, args) {
    budget.spendValue(args[0]);
    return call(...args);
  },

  not(budget, call, args) {
    budget.spendValue(args[0]);
    return call(...args);
  },

  filter: (budget, call, [list, callback]) => call(list, judged(budget, callback)),
  single: (budget, call, [list, callback]) => call(list, judged(budget, callback)),
  sift: (budget, call, [table, callback]) => call(table, judged(budget, callback)),

  keys(budget, call, args) {
    budget.spendValue(args[0]);
    return call(...args);
  },

  spread(budget, call, args) {
    // The library copies the result for each item.
    const [list] = args;
    if (Array.isArray(list)) budget.spendItems((list.length * list.length) / 2);
    return call(...args);
  },

  merge(budget, call, args) {
    budget.spendValue(args[0]);
    return call(...args);
  },

  zip(budget, call, args) {
    let items = 0;
    for (const list of args) if (Array.isArray(list)) items += list.length;
    budget.allowItems(items);
    return call(...args);
  },

  max: (_budget, _call, [list]) => extreme(list, Math.max),
  min: (_budget, _call, [list]) => extreme(list, Math.min),

  clone(budget, _call, [value]) {
    budget.spendValue(value);
    return cloneOf(value);
  },

  distinct(budget, _call, [list]) {
    if (!Array.isArray(list) || list.length <= 1) return list;
    // Its items are written as text to be compared.
    budget.spendCharacters(3 * budget.measure(list).size);
    const seen = new Set<unknown>();
    const found = isSequence(list) ? sequence() : [];
    for (const item of list) {
      const key = distinctKey(item);
      if (seen.has(key)) continue;
      seen.add(key);
      found.push(item);
    }
    return found;
  },

  sort(budget, _call, [list, callback]) {
    if (!Array.isArray(list) || list.length <= 1) return list;
    budget.spendItems(list.length * Math.ceil(Math.log2(list.length)));
    if (callback !== undefined) return mergeSort(list, callback as Callback);
    const type = typeof list[0];
    if ((type !== 'number' && type !== 'string') || list.some((item) => typeof item !== type))
      throw new JsonataFault('error', '$sort: without a function, all items must be numbers, or all must be strings.');
    return [...list].sort((a, b) => (a > b ? 1 : a < b ? -1 : 0));
  },

  shuffle(budget, _call, [list]) {
    if (!Array.isArray(list) || list.length <= 1) return list;
    const result = [...list];
    for (let at = result.length - 1; at > 0; at--) {
      const other = Math.floor(budget.random() * (at + 1));
      [result[at], result[other]] = [result[other], result[at]];
    }
    return result;
  },
};

/** The library asks whether the results of the callback are true, for arrays by going through them. */
function judged(budget: Budget, callback: unknown): unknown {
  if (typeof callback !== 'function') return callback;
  const inner = callback as Callback;
  const outer: Callback = async function (this: unknown, ...args: unknown[]) {
    const result = await inner.apply(this, args);
    if (Array.isArray(result)) budget.spendValue(result);
    return result;
  };
  outer.arity = inner.arity ?? inner.length;
  return outer;
}

/** Not by spreading the array: a long one exceeds the stack. */
function extreme(list: unknown, better: (a: number, b: number) => number): number | undefined {
  if (!Array.isArray(list) || list.length === 0) return undefined;
  return (list as number[]).reduce((best, item) => better(best, item));
}

const isSequence = (list: unknown[]): boolean => (list as { sequence?: boolean }).sequence === true;

const sequence = (): unknown[] => Object.assign([] as unknown[], { sequence: true });

/** Equal for values that are equal in the language. A function is equal to itself alone. */
function distinctKey(value: unknown): unknown {
  if (typeof value === 'string') return `"${value}`;
  return typeof value === 'object' && value !== null && !isProgramFunction(value) ? keyOf(value) : value;
}

/** As JSON with sorted names. */
function keyOf(value: unknown): string {
  if (isProgramFunction(value)) return 'function';
  if (Array.isArray(value)) return `[${value.map(keyOf).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const table = value as { readonly [key: string]: unknown };
    const members = Object.keys(table).sort();
    return `{${members.map((key) => `${JSON.stringify(key)}:${keyOf(table[key])}`).join(',')}}`;
  }
  return JSON.stringify(value) ?? 'undefined';
}

/** Objects without a prototype, so that no name has a meaning; functions become empty strings, as in `$string`. */
function cloneOf(value: unknown): unknown {
  if (isProgramFunction(value)) return '';
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => cloneOf(item) ?? null);
  const copy: Record<string, unknown> = Object.create(null);
  for (const [key, item] of Object.entries(value)) copy[key] = cloneOf(item);
  return copy;
}

/** Stable. `swap(a, b)` says whether a comes after b. */
async function mergeSort(list: readonly unknown[], swap: Callback): Promise<unknown[]> {
  let from = [...list];
  for (let width = 1; width < from.length; width *= 2) {
    const to: unknown[] = [];
    for (let start = 0; start < from.length; start += 2 * width) {
      const middle = Math.min(start + width, from.length);
      const end = Math.min(start + 2 * width, from.length);
      let [left, right] = [start, middle];
      while (left < middle && right < end) {
        if (await swap(from[left], from[right])) to.push(from[right++]);
        else to.push(from[left++]);
      }
      while (left < middle) to.push(from[left++]);
      while (right < end) to.push(from[right++]);
    }
    from = to;
  }
  return from;
}
