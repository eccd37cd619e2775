/** Globs of `include`: `*` and `?` within a name, `**` for any folders, `{a,b}`. Wildcards do not match a leading dot. */
import { readdirSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { statOf } from './stat.js';

const MAX_FOLDERS = 10_000;
const MAX_ALTERNATIVES = 1000;

export const hasWildcard = (pattern: string): boolean => /[*?{]/.test(pattern);

export interface Expanded {
  /** Absolute, sorted, each once. */
  readonly paths: readonly string[];
  /** False: the pattern has too many folders or alternatives, and some were skipped. */
  readonly whole: boolean;
}

/** The files that match. Unreadable folders match nothing; never throws. */
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
      // Symbolic links are not followed, because a link to a parent would make the walk endless.
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
  // Below zero: a folder was skipped.
  if (budget.folders <= 0) budget.folders = -1;
  if (budget.folders-- <= 0) return [];
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    // A missing or unreadable folder has no matches; the caller reports patterns without matches.
    return [];
  }
}

const isFile = (path: string): boolean => statOf(path)?.isFile() ?? false;

/** `*` matches any run, `?` any one character. Backtracks only to the last star, so the time is bounded. */
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

/** `a{b,c}d` -> `abd`, `acd`; also nested. An unclosed brace is literal. Undefined: too many alternatives. */
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
    // Innermost pair first: it contains no further braces.
    const choices = current.slice(open + 1, close).split(',');
    for (const choice of choices.reverse()) pending.push(current.slice(0, open) + choice + current.slice(close + 1));
  }
  return [...done];
}
