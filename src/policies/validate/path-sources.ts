/** Finds the path parameters of a schema or an operation in the routes of its policy. */
import type { PolicyContext, PolicyProblem } from '../contract.js';
import { type PathSegment, segmentsOf } from '../kits/openapi.js';
import type { ParameterEntry, PlaceEntry } from './schema.js';

type Source = Pick<ParameterEntry, 'source' | 'part'>;
type Route = PolicyContext['routes'][number];

/** `path`: that of the operation, whose parameters may have other names than in the routes; undefined for schemas. */
export function withSources(
  place: PlaceEntry,
  path: string | undefined,
  { routes }: PolicyContext,
  report: (problem: PolicyProblem) => void,
): PlaceEntry {
  if (place.place !== 'path') return place;
  const parameters = place.parameters.map((parameter) => {
    const found = routes.map((route) => sourceOf(parameter.name, path, route));
    const [first] = found;
    const differing = found.findIndex((source) => source === undefined || !isEqual(source, first!));
    if (differing < 0) return { ...parameter, ...first };
    report({
      code: 'validate/parameter',
      severity: 'error',
      at: [],
      message: `The schema has a path parameter \`${parameter.name}\`, but route \`${routes[differing]!.name}\` has none of that name or at that place, so it would always be missing.`,
      help: 'Name the parameter in the match of the route as in the schema.',
    });
    return parameter;
  });
  return { ...place, parameters };
}

const isEqual = (a: Source, b: Source): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Undefined if the route has no such parameter. */
function sourceOf(name: string, path: string | undefined, route: Route): Source | undefined {
  const aligned = path === undefined ? undefined : alignedSource(name, segmentsOf(path), segmentsOf(route.path));
  return aligned ?? (route.params.includes(name) ? {} : undefined);
}

/** By the place in the path. The route may have more segments at the beginning: the path of a server. */
function alignedSource(name: string, own: readonly PathSegment[], route: readonly PathSegment[]): Source | undefined {
  const offset = route.length - own.length;
  if (offset < 0) return undefined;
  const fits = own.every(({ literals, names }, at) => {
    const there = route[offset + at]!;
    return names.length > 0 ? there.names.length === 1 : there.names.length > 0 || there.literals[0] === literals[0];
  });
  const segment = own.find(({ names }) => names.includes(name));
  if (!fits || segment === undefined) return undefined;
  const source = route[offset + own.indexOf(segment)]!.names[0]!;
  const { literals } = segment;
  if (literals.every((literal) => literal === '')) return literals.length === 2 ? { source } : undefined;
  // Nothing separates them.
  if (literals.slice(1, -1).includes('')) return undefined;
  return { source, part: { literals, index: segment.names.indexOf(name) } };
}
