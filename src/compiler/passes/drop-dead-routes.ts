/** Drops routes that provably never match. */
import { normalizePath } from '../../bundle/normalize.js';
import type { ConditionIR, ConditionTest, Dfa, NormalizeEntry, SegmentIR } from '../../bundle/types.js';
import { counted } from '../../plural.js';
import { type Ir, type Pass, passStats, type RouteIR } from '../ir.js';

/**
 * Drops a route when
 * - a literal of its path cannot occur in a normalised path,
 * - one of its automata accepts nothing,
 * - two of its conditions exclude each other, or
 * - routes with the same host, path and conditions already take all its methods.
 */
export const dropDeadRoutes: Pass = (ir) => {
  const taken = new Set<string>();
  const kept: RouteIR[] = [];
  const dropped: string[] = [];
  const empty = ir.dfas.map(acceptsNothing);
  for (const route of ir.routes) {
    if (neverMatches(route, ir, empty) || !takesAny(route, taken)) dropped.push(route.entry.name);
    else kept.push(route);
  }
  const summary = `dropped ${counted(dropped.length, 'route')} that can never match`;
  return {
    ir: dropped.length === 0 ? ir : { ...ir, routes: kept },
    stats: passStats('dead-routes', dropped.length, summary, dropped),
  };
};

function neverMatches({ match }: RouteIR, ir: Ir, empty: readonly boolean[]): boolean {
  const last = match.segments.length - 1;
  return (
    match.segments.some((segment, i) =>
      segment.kind === 'literal'
        ? !isNormal(segment.text, i === last, ir.program.normalize)
        : segment.kind === 'typed' && empty[segment.dfa] === true,
    ) ||
    match.conditions.some((condition) => condition.test.op === 'matches' && empty[condition.test.dfa] === true) ||
    contradict(match.conditions)
  );
}

function isNormal(text: string, last: boolean, rules: NormalizeEntry): boolean {
  if (/^[A-Za-z0-9_~-]+$/.test(text)) return true;
  const path = last ? `/-/${text}` : `/-/${text}/-`;
  return normalizePath(path, rules) === path;
}

/** Whether no accepting state is reachable from the start. */
function acceptsNothing(dfa: Dfa): boolean {
  const seen = new Set([0]);
  for (const state of seen) {
    if (dfa.accepts[state] === 1) return false;
    for (let c = 0; c < dfa.classCount; c++) seen.add(dfa.next[state * dfa.classCount + c]!);
  }
  return true;
}

/** A header and the scheme have one value in tests. A query parameter may be repeated, so only `absent` excludes other tests. */
function contradict(conditions: readonly ConditionIR[]): boolean {
  for (let i = 1; i < conditions.length; i++) {
    for (let k = 0; k < i; k++) {
      const a = conditions[i]!;
      const b = conditions[k]!;
      if (a.on === b.on && a.name === b.name && exclude(a.test, b.test, a.on !== 'query')) return true;
    }
  }
  return false;
}

function exclude(a: ConditionTest, b: ConditionTest, single: boolean): boolean {
  if ((a.op === 'absent') !== (b.op === 'absent')) return true;
  if (!single) return false;
  const values = valuesOf(a) ?? valuesOf(b);
  const other = valuesOf(a) === undefined ? a : b;
  return values !== undefined && !values.some((value) => mayBe(value, other));
}

const valuesOf = (test: ConditionTest): readonly string[] | undefined =>
  test.op === 'equals' ? [test.value] : test.op === 'one-of' ? test.values : undefined;

function mayBe(value: string, test: ConditionTest): boolean {
  if (test.op === 'prefix') return value.startsWith(test.value);
  return valuesOf(test)?.includes(value) ?? true;
}

/** Records what the route takes; false if all of it was taken before. */
function takesAny({ match: { hosts, ...match } }: RouteIR, taken: Set<string>): boolean {
  const conditions =
    match.conditions.length === 0 ? '' : JSON.stringify([...match.conditions].map(conditionText).sort());
  let path = '';
  for (const segment of match.segments) path += `/${shape(segment)}`;
  path += ` ${conditions}`;
  const before = taken.size;
  for (const host of hosts.length === 0 ? [''] : hosts) {
    for (const method of match.methods.length === 0 ? ['*'] : match.methods) {
      const key = `${method} ${host} ${path}`;
      // A route on every listener also takes the requests on each one.
      if (taken.has(key)) continue;
      if (match.listeners === undefined) taken.add(key);
      else for (const listener of match.listeners) taken.add(`${key} ${listener}`);
    }
  }
  return taken.size > before;
}

const conditionText = (condition: ConditionIR): string =>
  JSON.stringify([condition.on, condition.name, condition.test]);

/** What a segment matches, without its name. No literal in normal form contains a brace. */
function shape(segment: SegmentIR): string {
  switch (segment.kind) {
    case 'literal':
      return segment.text;
    case 'typed':
      return `{${segment.dfa}}`;
    case 'param':
      return '{}';
    case 'tail':
      return '{...}';
  }
}
