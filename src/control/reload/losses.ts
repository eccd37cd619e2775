/** What a new generation removes from the live one: worth a warning, and a sign of a half-written spec. */
import type { Program, RouteEntry } from '../../bundle/types.js';
import { declarationOf } from '../../policies/registry.js';
import type { MatchTexts } from './diff.js';

export interface Losses {
  /** Routes, by their new names, that required a credential and do not any more. */
  readonly opened: readonly string[];
  /** Routes that have lost another kind of policy, or that more listeners serve now. */
  readonly lighter: readonly string[];
  /** Removed routes. */
  readonly removed: readonly string[];
  /** All routes were removed. */
  readonly empty: boolean;
}

/** Identifies routes by name, or by their match if they were renamed. */
export function lossesOf(
  before: { readonly program: Program; readonly matchTexts: MatchTexts },
  after: { readonly program: Program; readonly matchTexts: MatchTexts },
): Losses {
  const byName = new Map(after.program.routes.map((route) => [route.name, route]));
  const known = new Set(before.program.routes.map(({ name }) => name));
  const fresh = after.program.routes.filter(({ name }) => !known.has(name));
  const byMatch = new Map(fresh.map((route) => [matchOf(route, after.matchTexts), route]));
  const losses = { opened: [] as string[], lighter: [] as string[], removed: [] as string[] };
  for (const route of before.program.routes) {
    const now = byName.get(route.name) ?? byMatch.get(matchOf(route, before.matchTexts));
    if (now === undefined) losses.removed.push(route.name);
    else if (authenticates(route, before.program) && !authenticates(now, after.program)) losses.opened.push(now.name);
    else if (lostKind(route, before.program, now, after.program) || servedFurther(route, now))
      losses.lighter.push(now.name);
  }
  return { ...losses, empty: before.program.routes.length > 0 && after.program.routes.length === 0 };
}

export const removesSomething = ({ opened, lighter, removed }: Losses): boolean =>
  opened.length + lighter.length + removed.length > 0;

const matchOf = ({ name, match }: RouteEntry, matchTexts: MatchTexts): string => matchTexts.get(name) ?? match;

/** Kinds of the route's policies; those with a condition are marked. */
const kindsOf = ({ policies }: RouteEntry, program: Program): string[] =>
  policies.map((index) => {
    const policy = program.policies[index];
    return `${policy?.use ?? ''}${policy?.when === undefined ? '' : ' when'}`;
  });

/** Whether the route requires a credential: an optional policy (`optional = true`), or one with a condition, does not. */
const authenticates = ({ policies }: RouteEntry, program: Program): boolean =>
  policies.some((index) => {
    const policy = program.policies[index];
    if (policy?.phase !== 'authenticate' || policy.when !== undefined) return false;
    // What the code of a custom policy would say is not known here: in this phase, it authenticates.
    if (policy.code !== undefined) return true;
    return declarationOf(policy.use)?.traits?.(policy.config).authenticates === true;
  });

function lostKind(route: RouteEntry, before: Program, now: RouteEntry, after: Program): boolean {
  const left = kindsOf(now, after);
  // Removing a condition is not a loss; adding one is.
  return kindsOf(route, before).some((kind) => !left.includes(kind) && !left.includes(kind.replace(/ when$/, '')));
}

const servedFurther = ({ listeners: before }: RouteEntry, { listeners: now }: RouteEntry): boolean =>
  before !== undefined && (now === undefined || now.some((name) => !before.includes(name)));
