/** Routes that gw's precedence cannot tell apart are settled, so that every request of the document finds one of them. */
import type { Dfa } from '../../bundle/types.js';
import { commonExample, equivalent } from '../../schema/dfa.js';
import { compilePattern, NAMED_TYPES } from '../../schema/regex.js';
import { type ConditionDraft, shownCondition } from './conditions.js';
import type { Notes } from './notes.js';
import { pathText, type SegmentDraft } from './paths.js';
import type { RouteDraft } from './routes.js';

/** Form in which a route could stand; a later one takes more requests. */
interface Form {
  readonly segments: readonly SegmentDraft[];
  readonly conditions: readonly ConditionDraft[];
}

/** More conditions than this are not worth telling two routes apart. */
const MAX_CONDITIONS = 40;

/**
 * Two routes that match one request with equal precedence are an error in gw. The later one steps back: it leaves the
 * other's condition to the other, its patterns become plain parameters, its conditions go. Where it still takes the same
 * requests it is left out, and the other takes over what it asks of its callers.
 */
export function settle(routes: readonly RouteDraft[], notes: Notes): RouteDraft[] {
  const places = new Map<string, RouteDraft[]>();
  const kept = new Set<RouteDraft>();
  // Narrow ones take their place first.
  for (const route of [...routes].sort((a, b) => narrowness(b) - narrowness(a))) {
    const written = shown(route);
    let rival: RouteDraft | undefined;
    for (const form of formsOf(route)) {
      rival = place(route, form, places);
      if (rival === undefined) break;
    }
    if (rival) {
      leaveOut(route, written, rival, notes);
    } else {
      kept.add(route);
      if (shown(route) !== written && !onlyAdds(written, route)) {
        notes.add('overlap', written, `\`${written}\` overlaps another path and became \`${shown(route)}\`.`);
      }
    }
  }
  return routes.filter((route) => kept.has(route));
}

const onlyAdds = (written: string, route: RouteDraft): boolean =>
  shown({ ...route, conditions: route.conditions.filter(({ value }) => value !== false) }) === written;

function leaveOut(route: RouteDraft, written: string, rival: RouteDraft, notes: Notes): void {
  const sameGuard = route.guard === rival.guard;
  if (strictness(route) > strictness(rival)) rival.guard = route.guard;
  const guard = sameGuard ? '' : ' The document asks for other credentials there; the stricter ones hold.';
  const note = `\`${written}\` matches the same requests as \`${shown(rival)}\` and is left out.${guard}`;
  notes.add('same', written, note);
  rival.comments.push(`Also takes ${written} (${route.name}).${guard}`);
}

const strictness = ({ guard }: RouteDraft): number => (guard.open === undefined ? guard.policies.length : 0);

const narrowness = (route: RouteDraft): number =>
  route.segments.reduce((sum, segment) => sum + (segment.kind === 'typed' ? segment.narrowness : 0), 0);

function* formsOf({ segments, conditions }: RouteDraft): Generator<Form> {
  yield { segments, conditions };
  const plain = segments.map(
    (segment): SegmentDraft => (segment.kind === 'typed' ? { kind: 'param', name: segment.name } : segment),
  );
  if (segments.some(({ kind }) => kind === 'typed')) yield { segments: plain, conditions };
  for (let count = conditions.length - 1; count >= 0; count--)
    yield { segments: plain, conditions: conditions.slice(0, count) };
}

/** Gives the route this form if it finds a place in it, or returns the route that is in its way. */
function place(route: RouteDraft, form: Form, places: Map<string, RouteDraft[]>): RouteDraft | undefined {
  let { conditions } = form;
  for (;;) {
    const key = placeKey(route, form.segments, conditions);
    const peers = places.get(key) ?? [];
    const rival = peers.find((peer) => overlap(peer, { segments: form.segments, conditions }));
    if (rival === undefined) {
      route.segments = form.segments;
      route.conditions = conditions;
      if (peers.length === 0) places.set(key, peers);
      peers.push(route);
      return undefined;
    }
    const apart = apartFrom(rival, form.segments, conditions);
    if (apart === undefined) return rival;
    conditions = apart;
  }
}

/**
 * The conditions, with one more that leaves the rival its requests: only where the rival takes everything that has its one
 * parameter, so that no request is lost between the two.
 */
function apartFrom(
  rival: RouteDraft,
  segments: readonly SegmentDraft[],
  conditions: readonly ConditionDraft[],
): readonly ConditionDraft[] | undefined {
  const asked = rival.conditions.filter(({ value }) => value !== false);
  const [only] = asked;
  if (only?.value !== true || asked.length !== 1 || conditions.length === 0 || conditions.length >= MAX_CONDITIONS) {
    return undefined;
  }
  if (conditions.some(({ on, name }) => on === only.on && name === only.name)) return undefined;
  // What the rival leaves to others by its own absent conditions is theirs before it is this one's.
  const covers = rival.segments.every((segment, index) => segment.kind !== 'typed' || isSame(segment, segments[index]));
  return covers ? [...conditions, { ...only, value: false }] : undefined;
}

const isSame = (a: SegmentDraft, b: SegmentDraft | undefined): boolean =>
  a.kind === 'typed' && b?.kind === 'typed' && equivalent(dfaOf(a.type), dfaOf(b.type));

/** Equal for routes among which gw's precedence does not decide. */
function placeKey(route: RouteDraft, segments: readonly SegmentDraft[], conditions: readonly ConditionDraft[]): string {
  const steps = segments.map((segment) => (segment.kind === 'literal' ? `/${segment.text}` : `:${segment.kind}`));
  const headers = conditions.filter(({ on }) => on === 'header').length;
  return [route.method, headers, conditions.length - headers, ...steps].join('\n');
}

function overlap(a: Form, b: Form): boolean {
  if (a.conditions.some((one) => b.conditions.some((other) => contradict(one, other)))) return false;
  return a.segments.every((segment, index) => {
    const other = b.segments[index];
    if (segment.kind !== 'typed' || other?.kind !== 'typed') return true;
    return commonExample(dfaOf(segment.type), dfaOf(other.type)) !== undefined;
  });
}

function contradict(a: ConditionDraft, b: ConditionDraft): boolean {
  if (a.on !== b.on || a.value === b.value) return false;
  const sameName = a.on === 'header' ? a.name.toLowerCase() === b.name.toLowerCase() : a.name === b.name;
  return sameName && (a.value === false || b.value === false || (a.value !== true && b.value !== true));
}

function dfaOf(type: string): Dfa {
  const compiled = compilePattern(NAMED_TYPES[type] ?? type);
  if ('error' in compiled) throw new Error(`pattern ${type}: ${compiled.error}`);
  return compiled.dfa;
}

/** `GET /pets/{id} (query tag present)`. */
export function shown({ method, segments, conditions }: RouteDraft): string {
  const path = `${method ?? 'any method'} ${pathText(segments)}`;
  return conditions.length === 0 ? path : `${path} (${conditions.map(shownCondition).join(', ')})`;
}

/** A name stands for one route: repeated operation ids get their method and a number. */
export function nameApart(routes: readonly RouteDraft[]): void {
  const taken = new Set<string>();
  const counts = new Map<string, number>();
  for (const route of routes) {
    const base = taken.has(route.name) ? `${route.name}-${(route.method ?? 'any').toLowerCase()}` : route.name;
    let count = counts.get(base) ?? 1;
    let name = count === 1 ? base : `${base}-${count}`;
    while (taken.has(name)) name = `${base}-${++count}`;
    counts.set(base, count);
    taken.add(name);
    route.name = name;
  }
}
