/** Globs of `include`: `*` and `?` within a name, `**` for any folders, `{a,b}`. Names that begin with a dot are left out. */
import { readdirSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { statOf } from './stat.js';

const MAX_FOLDERS = 10_000;
const MAX_ALTERNATIVES = 1000;

export const hasWildcard = (pattern: string): boolean => /[*?{]/.test(pattern);

export interface Expanded {
  /** Absolute, sorted, each once. */
  readonly paths: readonly string[];
  /** False: the pattern leads through too many folders or alternatives, and not all of them were looked at. */
  readonly whole: boolean;
}

/** The files that match. What cannot be read matches nothing; never throws. */
export function expandGlob(pattern: string, folder: string): Expanded {
  const found = new Set<string>();
  const budget = { folders: MAX_FOLDERS };
  const alternatives = expandBraces(pattern);
  for (const alternative of alternatives ?? []) {
    const root = isAbsolute(alternative) ? resolve('/') : folder;
    const steps = alternative.split(/[/\\]+/).filter((step) => step !== '' && step !== '.');
    walk(root, steps, found, budget);
  }
  return { paths: [...found].sort(), whole: budget.folders >= 0 && alternatives !== undefined };
}

function walk(folder: string, steps: readonly string[], found: Set<string>, budget: { folders: number }): void {
  const [step, ...rest] = steps;
  if (step === undefined) return;
  if (step === '**') {
    walk(folder, rest, found, budget);
    for (const entry of list(folder, budget)) {
      // Symbolic links are not followed here, so that a link upwards cannot make the walk endless.
      if (entry.isDirectory() && !entry.name.startsWith('.')) walk(join(folder, entry.name), steps, found, budget);
    }
    return;
  }
  const names = hasWildcard(step) ? matching(folder, step, budget) : [step];
  for (const name of names) {
    const path = resolve(folder, name);
    if (rest.length > 0) walk(path, rest, found, budget);
    else if (isFile(path)) found.add(path);
  }
}

function matching(folder: string, pattern: string, budget: { folders: number }): string[] {
  return list(folder, budget)
    .map((entry) => entry.name)
    .filter((name) => (pattern.startsWith('.') || !name.startsWith('.')) && matchesWildcard(pattern, name));
}

function list(folder: string, budget: { folders: number }): { name: string; isDirectory(): boolean }[] {
  // Below zero says that a folder was passed over.
  if (budget.folders <= 0) budget.folders = -1;
  if (budget.folders-- <= 0) return [];
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    // A folder that is not there or not ours to read holds no match; that nothing matched is reported by the caller.
    return [];
  }
}

const isFile = (path: string): boolean => statOf(path)?.isFile() ?? false;

/** `*` any run, `?` any one character. Remembers only the last star, so it is linear in practice and never explodes. */
export function matchesWildcard(pattern: string, name: string): boolean {
  let at = 0;
  let inPattern = 0;
  let star = -1;
  let resume = 0;
  while (at < name.length) {
    const expected = pattern[inPattern];
    if (expected === '*') {
      star = inPattern++;
      resume = at;
    } else if (expected === '?' || expected === name[at]) {
      inPattern++;
      at++;
    } else if (star >= 0) {
      inPattern = star + 1;
      at = ++resume;
    } else return false;
  }
  while (pattern[inPattern] === '*') inPattern++;
  return inPattern === pattern.length;
}

/** `a{b,c}d` -> `abd`, `acd`; nested too. A brace that is never closed stands for itself. Undefined: too many. */
export function expandBraces(pattern: string): string[] | undefined {
  const pending = [pattern];
  const done = new Set<string>();
  while (pending.length > 0) {
    if (done.size + pending.length > MAX_ALTERNATIVES) return undefined;
    const current = pending.pop()!;
    const close = current.indexOf('}');
    const open = close < 0 ? -1 : current.lastIndexOf('{', close);
    if (open < 0) {
      done.add(current);
      continue;
    }
    // The innermost pair first: between it there are no further braces.
    const choices = current.slice(open + 1, close).split(',');
    for (const choice of choices.reverse()) pending.push(current.slice(0, open) + choice + current.slice(close + 1));
  }
  return [...done];
}
