/** Credentials of routes that could take the requests of another one: never laxer than the other's. */
import type { Notes } from './notes.js';
import { isSame, overlap } from './overlap.js';
import { pathText } from './paths.js';
import type { RouteDraft } from './routes.js';

/** In larger groups all routes ask for the same, rather than for what each pair needs. */
const MOST_PAIRED = 300;

/** How many credentials a route asks for; 0: it is open. */
export const strictness = ({ guard }: RouteDraft): number => (guard.open === undefined ? guard.policies.length : 0);

/**
 * OpenAPI does not say which of `/a/{id}` and `/a/{name}` takes a request, nor what a request is that meets the conditions
 * of two operations. Where gw decides for the one with fewer credentials, the service might decide for the other: so the
 * stricter ones are asked for on both.
 */
export function raiseGuards(routes: readonly RouteDraft[], notes: Notes): void {
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
