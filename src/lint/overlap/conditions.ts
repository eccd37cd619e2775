/** Which conditions can hold together. Tests are compared per name. */
import type { Dfa } from '../../bundle/types.js';
import { acceptsText, commonExample, includes } from '../../schema/regex/dfa.js';
import type { ConditionModel, TestModel } from '../../spec/model.js';

/** A header or query parameter of an example request: its value, or absent. */
export type Example = { readonly value: string } | { readonly absent: true };

const ABSENT: Example = { absent: true };
const ANY_VALUE = 'x';

/** A value that passes both tests; undefined if there is none. */
export function commonValue(a: TestModel, b: TestModel): Example | undefined {
  if (a.op === 'absent' || b.op === 'absent') return a.op === b.op ? ABSENT : undefined;
  const listed = valuesOf(a) ?? valuesOf(b);
  if (listed) {
    const value = listed.find((candidate) => passes(a, candidate) && passes(b, candidate));
    return value === undefined ? undefined : { value };
  }
  const automata = [a, b].flatMap((test) => automatonOf(test) ?? []);
  if (automata.length === 0) return { value: ANY_VALUE };
  const value = commonExample(automata[0]!, automata.at(-1)!);
  return value === undefined ? undefined : { value };
}

/** The values of a test that lists values. */
function valuesOf(test: TestModel): readonly string[] | undefined {
  if (test.op === 'equals') return [test.value];
  return test.op === 'one-of' ? test.values : undefined;
}

function passes(test: TestModel, value: string): boolean {
  switch (test.op) {
    case 'present':
      return true;
    case 'absent':
      return false;
    case 'equals':
      return value === test.value;
    case 'one-of':
      return test.values.includes(value);
    case 'prefix':
      return value.startsWith(test.value);
    case 'matches':
      return acceptsText(test.dfa, value);
  }
}

function automatonOf(test: TestModel): Dfa | undefined {
  if (test.op === 'matches') return test.dfa;
  return test.op === 'prefix' ? prefixAutomaton(test.value) : undefined;
}

/** Accepts every text that starts with `prefix`. */
function prefixAutomaton(prefix: string): Dfa {
  const bytes = new TextEncoder().encode(prefix);
  const accepting = bytes.length;
  const dead = bytes.length + 1;
  const next: number[] = [];
  for (let state = 0; state <= dead; state++) {
    for (let byte = 0; byte < 256; byte++) {
      if (state >= accepting) next.push(state);
      else next.push(byte === bytes[state] ? state + 1 : dead);
    }
  }
  return {
    source: prefix,
    classes: Array.from({ length: 256 }, (_, byte) => byte),
    classCount: 256,
    next,
    accepts: Array.from({ length: dead + 1 }, (_, state) => (state === accepting ? 1 : 0)),
    dead,
  };
}

/** Whether every value that passes `narrow` also passes `wide`. */
export function impliedBy(narrow: TestModel, wide: TestModel): boolean {
  if (narrow.op === 'absent' || wide.op === 'absent') return narrow.op === wide.op;
  if (wide.op === 'present') return true;
  if (narrow.op === 'present') return false;
  const listed = valuesOf(narrow);
  if (listed) return listed.every((value) => passes(wide, value));
  if (narrow.op === 'prefix' && wide.op === 'prefix') return narrow.value.startsWith(wide.value);
  const inner = automatonOf(narrow);
  const outer = automatonOf(wide);
  return inner !== undefined && outer !== undefined && includes(outer, inner);
}

const sameName = (a: ConditionModel, b: ConditionModel): boolean => a.on === b.on && a.name === b.name;

type Namesakes = (like: ConditionModel) => readonly ConditionModel[];

/** Up to this many conditions are searched linearly. */
const FEW = 8;

const indexes = new WeakMap<readonly ConditionModel[], Namesakes>();

/** Finds the conditions of a list with the name of another condition. */
function namesakesIn(conditions: readonly ConditionModel[]): Namesakes {
  if (conditions.length <= FEW) return (like) => conditions.filter((condition) => sameName(condition, like));
  let index = indexes.get(conditions);
  if (index === undefined) {
    index = indexOf(conditions);
    indexes.set(conditions, index);
  }
  return index;
}

function indexOf(conditions: readonly ConditionModel[]): Namesakes {
  const byName = new Map<string, ConditionModel[]>();
  for (const condition of conditions) {
    const key = keyOf(condition);
    const list = byName.get(key);
    if (list) list.push(condition);
    else byName.set(key, [condition]);
  }
  return (like) => byName.get(keyOf(like)) ?? [];
}

/** One example per name that either list tests; undefined if no request meets both lists. */
export function meetBoth(
  a: readonly ConditionModel[],
  b: readonly ConditionModel[],
): readonly (readonly [ConditionModel, Example])[] | undefined {
  const met: [ConditionModel, Example][] = [];
  const inA = namesakesIn(a);
  const inB = namesakesIn(b);
  for (const condition of a) {
    const [partner] = inB(condition);
    const value = commonValue(condition.test, partner?.test ?? condition.test);
    if (value === undefined) return undefined;
    met.push([condition, value]);
  }
  for (const condition of b) {
    if (inA(condition).length > 0) continue;
    const value = commonValue(condition.test, condition.test);
    if (value === undefined) return undefined;
    met.push([condition, value]);
  }
  return met;
}

/** How many names a proof may split into two cases before it gives up. */
const MOST_SPLITS = 6;

/**
 * Whether every request that meets `given` meets one of the lists in `covers`. Sound but not complete: besides direct
 * implication it uses only that a name is either present or absent, and that the scheme is either http or https.
 */
export function covered(
  given: readonly ConditionModel[],
  covers: readonly (readonly ConditionModel[])[],
  splits = MOST_SPLITS,
): boolean {
  const open: ConditionModel[][] = [];
  const inGiven = namesakesIn(given);
  for (const cover of covers) {
    if (contradicts(inGiven, cover)) continue;
    const rest = cover.filter((wanted) => !inGiven(wanted).some((has) => impliedBy(has.test, wanted.test)));
    if (rest.length === 0) return true;
    open.push(rest);
  }
  if (splits === 0) return false;
  const split = open.flat().find(({ on, test }) => test.op === 'absent' || on === 'scheme');
  if (!split) return false;
  const cases = split.on === 'scheme' ? SCHEMES : PRESENCE;
  return cases.every((test) => covered([...given, { ...split, test }], open, splits - 1));
}

/** Every request is in one of the two cases. */
const PRESENCE: readonly TestModel[] = [{ op: 'absent' }, { op: 'present' }];
const SCHEMES: readonly TestModel[] = [
  { op: 'equals', value: 'http' },
  { op: 'equals', value: 'https' },
];

function contradicts(given: Namesakes, cover: readonly ConditionModel[]): boolean {
  return cover.some((wanted) =>
    given(wanted).some(
      (has) =>
        (has.test.op === 'absent') !== (wanted.test.op === 'absent') ||
        (wanted.on === 'scheme' && commonValue(has.test, wanted.test) === undefined),
    ),
  );
}

const keys = new WeakMap<readonly ConditionModel[], string>();

/** Equal for lists with the same tests in any order. */
export function conditionsKey(conditions: readonly ConditionModel[]): string {
  if (conditions.length === 0) return '';
  let key = keys.get(conditions);
  if (key === undefined) {
    key = conditions
      .map(({ on, name, test }) => `${on} ${name} ${testKey(test)}`)
      .sort()
      .join('\n');
    keys.set(conditions, key);
  }
  return key;
}

function testKey(test: TestModel): string {
  const values = valuesOf(test);
  if (values) return `in ${JSON.stringify([...new Set(values)].sort())}`;
  if (test.op === 'prefix') return `prefix ${JSON.stringify(test.value)}`;
  return test.op === 'matches' ? `matches ${JSON.stringify(test.dfa.source)}` : test.op;
}

/** Items in buckets, by the value that a condition on one name requires. */
export interface Buckets<T> {
  readonly by: string;
  readonly buckets: readonly (readonly T[])[];
}

/**
 * Groups items whose conditions all restrict a common name to listed values (or to absence) by that value: two items can
 * match together only within one bucket. Undefined if there is no such name besides those in `without`.
 */
export function bucketsByValue<T>(
  items: readonly T[],
  conditionsOf: (item: T) => readonly ConditionModel[],
  without: ReadonlySet<string>,
): Buckets<T> | undefined {
  const first = items[0];
  if (first === undefined) return undefined;
  const pins = (item: T, like: ConditionModel): readonly string[] | undefined => {
    const test = namesakesIn(conditionsOf(item))(like)[0]?.test;
    if (test === undefined) return undefined;
    return test.op === 'absent' ? ['absent'] : valuesOf(test)?.map((value) => `=${value}`);
  };
  const pinned = conditionsOf(first).find(
    (condition) => !without.has(keyOf(condition)) && items.every((item) => pins(item, condition) !== undefined),
  );
  if (!pinned) return undefined;
  const buckets = new Map<string, T[]>();
  for (const item of items) {
    for (const value of new Set(pins(item, pinned))) {
      const bucket = buckets.get(value);
      if (bucket) bucket.push(item);
      else buckets.set(value, [item]);
    }
  }
  return { by: keyOf(pinned), buckets: [...buckets.values()] };
}

const keyOf = ({ on, name }: ConditionModel): string => `${on} ${name}`;
