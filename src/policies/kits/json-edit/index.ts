/**
 * The simple forms of changes to JSON: `pick`, `omit`, `rename` and `set`, with paths that are compiled once.
 *
 *     const { edit, errors } = compileJsonEdit({ omit: ['user.password'], set: { 'meta.source': 'gw' } });
 *     const changed = edit.apply(value, (source) => source);
 *
 * All four are pure: the value is not changed, and what no path touches is shared with it. Numbers of items are those of the
 * value that the form gets.
 */
import type { JsonValue } from '../json-text/index.js';
import { Draft } from './draft.js';
import { isPathError, type PathError, type PathStep, parsePath } from './path.js';
import { pick } from './pick.js';
import { omit, rename, set } from './steps.js';

export { PATH_SYNTAX, type PathError, type PathStep, parsePath } from './path.js';

/** Applied in this order. `T`: what stands for the values of `set`; they are resolved for each value. */
export interface JsonEditSpec<T> {
  /** Only these parts are kept. Their containers are kept too; an item that is not picked leaves its array. */
  readonly pick?: readonly string[];
  /** These parts are removed. */
  readonly omit?: readonly string[];
  /** From a path that ends in a name to the new name, in the same place of the object. Replaces a member of that name. */
  readonly rename?: { readonly [path: string]: string };
  /**
   * From a path to the value. A missing or null parent that a name leads into becomes an object; other values are left
   * alone, so nothing is set inside a string or behind the end of an array.
   */
  readonly set?: { readonly [path: string]: T };
}

export interface JsonEditError extends PathError {
  readonly form: 'pick' | 'omit' | 'rename' | 'set';
  /** Number of the path within its form, in the order given. */
  readonly index: number;
  /** The path, to which `start` and `end` refer. */
  readonly path: string;
}

export interface JsonEdit<T> {
  /**
   * The changed value, or the value itself if nothing changes. `resolve` gives the values of `set`; undefined sets nothing.
   * With `pick`, a value that is neither object nor array becomes null.
   */
  apply(value: JsonValue, resolve: (source: T) => JsonValue | undefined): JsonValue;
}

/** `edit` is undefined if a path is wrong. Never throws. */
export function compileJsonEdit<T = JsonValue>(
  spec: JsonEditSpec<T>,
): { readonly edit: JsonEdit<T> | undefined; readonly errors: readonly JsonEditError[] } {
  const errors: JsonEditError[] = [];
  const compile = (form: JsonEditError['form'], paths: readonly string[]): (readonly PathStep[])[] =>
    paths.map((path, index) => {
      const parsed = parsePath(path);
      if (!isPathError(parsed)) return parsed;
      errors.push({ form, index, path, ...parsed });
      return [];
    });
  const picked = spec.pick === undefined ? undefined : compile('pick', spec.pick);
  const omitted = compile('omit', spec.omit ?? []);
  const renames = spec.rename ?? {};
  const renamed = compile('rename', Object.keys(renames)).map((steps, index) => {
    const path = Object.keys(renames)[index]!;
    if (steps.length > 0 && typeof steps.at(-1) !== 'string')
      errors.push({ form: 'rename', index, path, error: 'The path must end in a name.', start: 0, end: path.length });
    return { steps, name: renames[path]! };
  });
  const sets = compile('set', Object.keys(spec.set ?? {})).map((steps, index) => ({
    steps,
    source: Object.values(spec.set ?? {})[index]!,
  }));
  if (errors.length > 0) return { edit: undefined, errors };
  const groups = groupsOf(renamed);
  const apply = (value: JsonValue, resolve: (source: T) => JsonValue | undefined): JsonValue => {
    let changed = picked === undefined ? value : pick(value, picked);
    if (omitted.length > 0) {
      const draft = new Draft();
      for (const steps of omitted) changed = omit(draft, changed, steps, 0);
      draft.finish();
    }
    const draft = new Draft();
    for (const { parent, names } of groups) changed = rename(draft, changed, parent, 0, names);
    for (const { steps, source } of sets) {
      const given = resolve(source);
      if (given !== undefined) changed = set(draft, changed, steps, 0, given);
    }
    return changed;
  };
  return { edit: { apply }, errors };
}

/** Renames of members of the same objects, which happen at once: names can be swapped. */
interface RenameGroup {
  readonly parent: readonly PathStep[];
  readonly names: Map<string, string>;
}

function groupsOf(renames: readonly { readonly steps: readonly PathStep[]; readonly name: string }[]): RenameGroup[] {
  const groups: RenameGroup[] = [];
  for (const { steps, name } of renames) {
    const parent = steps.slice(0, -1);
    const known = groups.find(
      (group) => group.parent.length === parent.length && group.parent.every((step, at) => step === parent[at]),
    );
    const names = known?.names ?? new Map<string, string>();
    names.set(String(steps.at(-1)), name);
    if (known === undefined) groups.push({ parent, names });
  }
  return groups;
}
