/** The difference between two programs, by the stable names of entities. */
import type { Program, RouteEntry } from '../../bundle/types.js';
import { nounFor } from '../../plural.js';
import type { ReloadChange } from '../../telemetry/changes.js';

export interface NameDiff {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

export interface ProgramDiff {
  readonly routes: NameDiff;
  readonly services: NameDiff;
  readonly policies: NameDiff;
  readonly consumers: NameDiff;
  readonly plans: NameDiff;
  readonly listeners: NameDiff;
  /** Settings outside entities, by their keys in the spec. */
  readonly settings: NameDiff;
}

/** The parts of a route's match that the program does not hold as text (conditions, patterns), by route name. */
export type MatchTexts = ReadonlyMap<string, string>;

/**
 * Compares by name. Position and order in the spec do not matter. An inline policy is part of its route; a named one counts
 * by itself.
 */
export function diffPrograms(
  before: Program,
  after: Program,
  matchTexts?: { before: MatchTexts; after: MatchTexts },
): ProgramDiff {
  const none: MatchTexts = new Map();
  return {
    routes: compare(routesOf(before, matchTexts?.before ?? none), routesOf(after, matchTexts?.after ?? none)),
    services: compareEntities(before.services, after.services),
    policies: compare(namedPolicies(before), namedPolicies(after)),
    consumers: compareEntities(before.consumers, after.consumers),
    plans: compareEntities(before.plans, after.plans),
    listeners: compareEntities(before.listeners, after.listeners),
    settings: compare(settingsOf(before), settingsOf(after)),
  };
}

const KINDS = [
  ['services', 'service'],
  ['policies', 'policy'],
  ['consumers', 'consumer'],
  ['plans', 'plan'],
  ['listeners', 'listener'],
] as const;

/** `+1 route, ~2 routes, -0 routes`, followed by other changes: `; +1 service; settings`. */
export function summarize(diff: ProgramDiff): string {
  const parts = [counts(diff.routes, 'route', true)];
  for (const [plural, singular] of KINDS) {
    const text = counts(diff[plural], singular, false);
    if (text !== '') parts.push(text);
  }
  if (diff.settings.changed.length > 0) parts.push('settings');
  return parts.join('; ');
}

/** Maximum number of names listed per kind and change; others are counted. */
const MOST_NAMES = 50;

/** The changes by name, bounded. */
export const changesOf = (diff: ProgramDiff): ReloadChange[] =>
  ([['routes', 'route'], ...KINDS, ['settings', 'setting']] as const).flatMap(([plural, kind]) =>
    changesOfNames(kind, diff[plural]),
  );

/** The same for one kind. */
export function changesOfNames(kind: ReloadChange['kind'], diff: NameDiff): ReloadChange[] {
  const found: ReloadChange[] = [];
  for (const change of ['added', 'changed', 'removed'] as const) {
    const all = diff[change];
    if (all.length === 0) continue;
    const names = all.slice(0, MOST_NAMES);
    found.push({ change, kind, names, more: all.length - names.length });
  }
  return found;
}

/** `+1 consumer, -2 consumers`; `nothing`. */
export const summarizeNames = (noun: string, diff: NameDiff): string => counts(diff, noun, false) || 'nothing';

/** Two differences of one kind. */
export const joinNames = (one: NameDiff, other: NameDiff): NameDiff => ({
  added: [...one.added, ...other.added].sort(),
  changed: [...one.changed, ...other.changed].sort(),
  removed: [...one.removed, ...other.removed].sort(),
});

function counts(diff: NameDiff, noun: string, zeros: boolean): string {
  const signed: readonly (readonly [string, readonly string[]])[] = [
    ['+', diff.added],
    ['~', diff.changed],
    ['-', diff.removed],
  ];
  return signed
    .filter(([, names]) => zeros || names.length > 0)
    .map(([sign, names]) => `${sign}${names.length} ${nounFor(names.length, noun)}`)
    .join(', ');
}

function compare<T>(
  before: ReadonlyMap<string, T>,
  after: ReadonlyMap<string, T>,
  isSame: (one: T, other: T) => boolean = (one, other) => one === other,
): NameDiff {
  const added: string[] = [];
  const changed: string[] = [];
  for (const [name, value] of after) {
    const old = before.get(name);
    if (old === undefined) added.push(name);
    else if (!isSame(old, value)) changed.push(name);
  }
  const removed = [...before.keys()].filter((name) => !after.has(name));
  return { added: added.sort(), changed: changed.sort(), removed: removed.sort() };
}

interface Named {
  readonly name: string;
}

/** Compares content only if the objects differ: most entries of a build are those of the build before. */
function compareEntities(before: readonly Named[], after: readonly Named[]): NameDiff {
  const byName = (entities: readonly Named[]): ReadonlyMap<string, Named> =>
    new Map(entities.map((entity) => [entity.name, entity]));
  return compare(
    byName(before),
    byName(after),
    (one, other) => one === other || JSON.stringify(one) === JSON.stringify(other),
  );
}

/** Inline policies have names with a slash, which `[policy.NAME]` does not allow. */
const isInPlace = (name: string): boolean => name.includes('/');

function namedPolicies(program: Program): ReadonlyMap<string, string> {
  const named = program.policies.filter((policy) => !isInPlace(policy.name));
  // One name can have several policies: the optimiser may split a policy by route.
  const texts = new Map<string, string>();
  for (const { use, name, phase, settings } of named) {
    texts.set(name, `${texts.get(name) ?? ''}${JSON.stringify([use, phase, settings])}`);
  }
  return texts;
}

function routesOf(program: Program, matchTexts: MatchTexts): ReadonlyMap<string, string> {
  return new Map(program.routes.map((route) => [route.name, textOf(program, route, matchTexts)]));
}

function textOf(program: Program, route: RouteEntry, matchTexts: MatchTexts): string {
  const { source: _source, service, policies, ...rest } = route;
  const chain = policies.map((index) => {
    const policy = program.policies[index];
    if (policy === undefined) return null;
    return isInPlace(policy.name) ? [policy.use, policy.phase, policy.settings] : policy.name;
  });
  return JSON.stringify([rest, program.services[service]?.name ?? null, chain, matchTexts.get(route.name) ?? null]);
}

/** Settings outside entities, by their keys in the spec. */
function settingsOf(program: Program): ReadonlyMap<string, string> {
  const { listeners, services, consumers, plans, policies, routes, provenance, ...settings } = program;
  const inSpec = (key: string): string => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return new Map(Object.entries(settings).map(([key, value]) => [inSpec(key), JSON.stringify(value) ?? '']));
}
