/** `omit`, `rename` and `set` along one path. Each returns the value itself if nothing changes. */
import { type JsonValue, putMember } from '../json-text/index.js';
import { type Draft, HOLE, indexOf, isList, isTable, type Table } from './draft.js';
import { ALL_ITEMS, ALL_MEMBERS, type PathStep } from './path.js';

type Change = (child: JsonValue) => JsonValue;

/** Changes the children that the step leads to. */
function changeChildren(draft: Draft, value: JsonValue, step: PathStep, change: Change): JsonValue {
  if (isList(value)) {
    if (step === ALL_ITEMS) return changeItems(draft, value, change);
    const at = typeof step === 'number' ? indexOf(value, step) : -1;
    if (at < 0 || value[at] === HOLE) return value;
    const item = change(value[at]!);
    if (item === value[at]) return value;
    const own = draft.own(value);
    own[at] = item;
    return own;
  }
  if (!isTable(value)) return value;
  if (step === ALL_MEMBERS) return changeMembers(draft, value, change);
  return typeof step === 'string' && Object.hasOwn(value, step) ? changeMember(draft, value, step, change) : value;
}

function changeItems(draft: Draft, list: JsonValue[], change: Change): JsonValue {
  let own = list;
  for (const [at, item] of list.entries()) {
    if (item === HOLE) continue;
    const changed = change(item);
    if (changed === item) continue;
    own = draft.own(own);
    own[at] = changed;
  }
  return own;
}

function changeMembers(draft: Draft, table: Table, change: Change): JsonValue {
  let own = table;
  for (const key of Object.keys(table)) own = changeMember(draft, own, key, change);
  return own;
}

function changeMember(draft: Draft, table: Table, key: string, change: Change): Table {
  const changed = change(table[key]!);
  if (changed === table[key]) return table;
  const own = draft.own(table);
  putMember(own, key, changed);
  return own;
}

export function omit(draft: Draft, value: JsonValue, steps: readonly PathStep[], at: number): JsonValue {
  const step = steps[at]!;
  if (at < steps.length - 1) return changeChildren(draft, value, step, (child) => omit(draft, child, steps, at + 1));
  if (isList(value)) return omitItems(draft, value, step);
  if (!isTable(value)) return value;
  if (step === ALL_MEMBERS) return Object.keys(value).length === 0 ? value : {};
  if (typeof step !== 'string' || !Object.hasOwn(value, step)) return value;
  const own: Table = draft.own(value);
  delete own[step];
  return own;
}

function omitItems(draft: Draft, list: JsonValue[], step: PathStep): JsonValue {
  if (step === ALL_ITEMS) return list.length === 0 ? list : [];
  const at = typeof step === 'number' ? indexOf(list, step) : -1;
  if (at < 0) return list;
  const own = draft.own(list);
  draft.remove(own, at);
  return own;
}

/** `parent`: leads to the objects. `names`: from the old name to the new one. */
export function rename(
  draft: Draft,
  value: JsonValue,
  parent: readonly PathStep[],
  at: number,
  names: ReadonlyMap<string, string>,
): JsonValue {
  if (at < parent.length)
    return changeChildren(draft, value, parent[at]!, (child) => rename(draft, child, parent, at + 1, names));
  if (!isTable(value)) return value;
  const taken = new Set<string>();
  for (const [from, to] of names) if (from !== to && Object.hasOwn(value, from)) taken.add(to);
  if (taken.size === 0) return value;
  // A new table, because the order of members is kept.
  const renamed: Table = {};
  for (const key of Object.keys(value)) {
    const name = names.get(key) ?? key;
    if (name !== key || !taken.has(key)) putMember(renamed, name, value[key]!);
  }
  return renamed;
}

export function set(
  draft: Draft,
  value: JsonValue,
  steps: readonly PathStep[],
  at: number,
  given: JsonValue,
): JsonValue {
  const step = steps[at]!;
  const change = (child: JsonValue): JsonValue =>
    at === steps.length - 1 ? given : set(draft, child, steps, at + 1, given);
  if (typeof step !== 'string') return changeChildren(draft, value, step, change);
  const parent = value === null ? draft.own<Table>({}) : value;
  if (!isTable(parent)) return value;
  const exists = Object.hasOwn(parent, step);
  const before = exists ? parent[step]! : null;
  const child = change(before);
  // Also if nothing could be set below a member that does not exist, as in `list[0]` without a list.
  if (child === before && (exists || at < steps.length - 1)) return value;
  const own = draft.own(parent);
  putMember(own, step, child);
  return own;
}
