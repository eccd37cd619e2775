/** Resolves conflicts between routes of equal precedence, so that every request of the document still matches a route. */
import type { ConditionDraft } from './conditions.js';
import { type Form, type RouteDraft, shown } from './draft.js';
import type { Notes } from './notes.js';
import { covers, isSame, overlap, sameName } from './overlap.js';
import { pathText, type SegmentDraft } from './paths.js';

/** At most this many conditions are used to separate two routes. */
const MAX_CONDITIONS = 40;
/** In larger groups all routes get the strictest guard, instead of one for each pair. */
const MOST_PAIRED = 300;

/**
 * Two routes that match one request with equal precedence are an error in gw. The later one steps back: it leaves the
 * other's condition to the other, its patterns become plain parameters, its conditions go. Where it still takes the same
 * requests it is left out, and the other takes over what it asks of its callers.
 */
export function settle(routes: readonly RouteDraft[], notes: Notes): RouteDraft[] {
  const places = new Places(routes);
  const kept = new Set<RouteDraft>();
  // Narrow routes are placed first.
  for (const route of [...routes].sort((a, b) => narrowness(b) - narrowness(a))) {
    const written = shown(route);
    let rival: RouteDraft | undefined;
    for (const form of formsOf(route)) {
      rival = places.take(route, form);
      // A wider form would match requests that are not in the document.
      if (rival === undefined || covers(rival, route)) break;
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
  const settled = routes.filter((route) => kept.has(route));
  raiseGuards(settled, notes);
  return settled;
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

/** The places that routes have taken, by what gw's precedence decides. */
class Places {
  readonly #taken = new Map<string, RouteDraft[]>();
  /** Methods and paths that some route takes without a condition. */
  readonly #unconditional: ReadonlySet<string>;

  constructor(routes: readonly RouteDraft[]) {
    const plain = routes.filter(({ conditions }) => conditions.length === 0);
    this.#unconditional = new Set(plain.map((route) => `${route.method} ${pathText(route.segments)}`));
  }

  /** Gives the route this form if it finds a place in it, or returns the route that is in its way. */
  take(route: RouteDraft, form: Form): RouteDraft | undefined {
    const hasRest = this.#unconditional.has(`${route.method} ${pathText(form.segments)}`);
    let { conditions } = form;
    for (;;) {
      const key = placeKey(route.method, form.segments, conditions);
      const peers = this.#taken.get(key) ?? [];
      const rival = peers.find((peer) => overlap(peer, { segments: form.segments, conditions }));
      if (rival === undefined) {
        route.segments = form.segments;
        route.conditions = conditions;
        if (peers.length === 0) this.#taken.set(key, peers);
        peers.push(route);
        return undefined;
      }
      const absent = yieldedTo(rival, { segments: form.segments, conditions }, hasRest);
      if (absent === undefined) return rival;
      conditions = [...conditions, absent];
    }
  }
}

/**
 * A further condition that leaves the rival its requests. No request may be lost between the two: the rival takes all
 * that has its one parameter, or `hasRest`: another route takes what neither does.
 */
function yieldedTo(rival: RouteDraft, form: Form, hasRest: boolean): ConditionDraft | undefined {
  const { segments, conditions } = form;
  if (conditions.length === 0 || conditions.length >= MAX_CONDITIONS) return undefined;
  const asked = rival.conditions.filter(({ value }) => value !== false);
  const other = asked.find(({ on, name }) => !conditions.some((one) => one.on === on && sameName(one.name, name, on)));
  if (other === undefined) return undefined;
  const covers = rival.segments.every((segment, index) => segment.kind !== 'typed' || isSame(segment, segments[index]));
  const takesAll = asked.length === 1 && other.value === true && covers;
  return takesAll || hasRest ? { ...other, value: false } : undefined;
}

/** Equal for routes among which gw's precedence does not decide. */
function placeKey(
  method: string | undefined,
  segments: readonly SegmentDraft[],
  conditions: readonly ConditionDraft[],
): string {
  const steps = segments.map((segment) => (segment.kind === 'literal' ? `/${segment.text}` : `:${segment.kind}`));
  const headers = conditions.filter(({ on }) => on === 'header').length;
  return [method, headers, conditions.length - headers, ...steps].join('\n');
}

/** Makes names unique: repeated operation ids get their method and a number. */
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

/** The number of credentials that a route requires; 0: it is open. */
const strictness = ({ guard }: RouteDraft): number => (guard.open === undefined ? guard.policies.length : 0);

/**
 * OpenAPI does not say which of `/a/{id}` and `/a/{name}` takes a request, nor what a request is that meets the conditions
 * of two operations. Where gw decides for the one with fewer credentials, the service might decide for the other: so the
 * stricter ones are asked for on both.
 */
function raiseGuards(routes: readonly RouteDraft[], notes: Notes): void {
  const groups = new Map<string, RouteDraft[]>();
  for (const route of routes) {
    const shape = route.segments.map(({ kind, ...segment }) =>
      'text' in segment ? `/${segment.text}` : kind === 'tail' ? '...' : ':',
    );
    const peers = groups.get(shape.join('\n'));
    if (peers) peers.push(route);
    else groups.set(shape.join('\n'), [route]);
  }
  for (const peers of groups.values()) {
    const levels = new Set(peers.map(strictness));
    if (levels.size < 2) continue;
    const ordered = [...peers].sort((a, b) => strictness(b) - strictness(a));
    for (const route of peers) {
      const above = ordered.find(
        (other) => strictness(other) > strictness(route) && (peers.length > MOST_PAIRED || canSteal(route, other)),
      );
      if (above) raise(route, above, notes);
    }
  }
}

function raise(route: RouteDraft, above: RouteDraft, notes: Notes): void {
  route.guard = above.guard;
  const text = `a request could also be meant for \`${above.name}\`, so its credentials are asked for here too.`;
  notes.add('stricter', route.name, `\`${route.name}\`: ${text}`);
  route.comments.push(`The document asks for less here, but ${text}`);
}

/** True when gw could give the route a request that is meant for the other one. */
function canSteal(route: RouteDraft, other: RouteDraft): boolean {
  if (route.method !== other.method && route.method !== undefined && other.method !== undefined) return false;
  // Whatever the conditions: a request can carry a parameter twice, or those of both.
  if (!overlap({ ...route, conditions: [] }, { ...other, conditions: [] })) return false;
  if (pathText(route.segments) === pathText(other.segments))
    return route.conditions.length + other.conditions.length > 0;
  return route.segments.some((segment, index) => segment.kind === 'typed' && !isSame(segment, other.segments[index]));
}
