/** Operations of an OpenAPI document -> routes, with those that gw could not tell apart settled. */

import type { Dfa } from '../../bundle/types.js';
import { commonExample, equivalent } from '../../schema/dfa.js';
import { compilePattern, NAMED_TYPES } from '../../schema/regex.js';
import { field, isList, isTable, type OpenApiDocument, textOf } from './document.js';
import { type PathDraft, parameterTypes, pathDraft, pathText, type SegmentDraft } from './paths.js';
import type { ServiceDraft, Services } from './servers.js';

export interface RouteDraft {
  name: string;
  readonly method: string;
  segments: readonly SegmentDraft[];
  readonly query: PathDraft['query'];
  readonly service: ServiceDraft;
}

const METHODS = ['get', 'head', 'post', 'put', 'patch', 'delete', 'options', 'trace'];

/** Routes in document order, and notes on what could not be kept as it was. */
export function routeDrafts(document: OpenApiDocument, services: Services): { routes: RouteDraft[]; notes: string[] } {
  const notes = new Set<string>();
  const routes: RouteDraft[] = [];
  const paths = field(document.root, 'paths');
  for (const [template, itemOrRef] of Object.entries(isTable(paths) ? paths : {})) {
    if (template.startsWith('x-')) continue;
    const item = document.resolve(itemOrRef);
    if (!isTable(item)) {
      notes.add(`\`${template}\` refers to something outside this document and is left out.`);
      continue;
    }
    for (const method of METHODS) {
      const operation = document.resolve(field(item, method));
      if (!isTable(operation)) continue;
      const types = parameterTypes(document, field(item, 'parameters'), field(operation, 'parameters'));
      const draft = pathDraft(template, types);
      if ('note' in draft) {
        notes.add(draft.note);
        continue;
      }
      for (const note of draft.notes) notes.add(note);
      const servers = [field(operation, 'servers'), field(item, 'servers'), field(document.root, 'servers')];
      const service = services.of(servers.find((list) => isList(list) && list.length > 0));
      const name = textOf(field(operation, 'operationId'))?.trim() || `${method}-${pathText(draft.segments)}`;
      routes.push({ name, method: method.toUpperCase(), segments: draft.segments, query: draft.query, service });
    }
  }
  const kept = settle(routes, notes);
  nameApart(kept);
  return { routes: kept, notes: [...notes] };
}

/**
 * Two routes that match one request with equal precedence are an error in gw. The wider of two patterns becomes a plain
 * parameter, which the narrower one beats; where that is no way out the later route is left out.
 */
function settle(routes: readonly RouteDraft[], notes: Set<string>): RouteDraft[] {
  const byShape = new Map<string, RouteDraft[]>();
  const kept = new Set<RouteDraft>();
  // Narrow ones take their place first.
  for (const route of [...routes].sort((a, b) => narrowness(b) - narrowness(a))) {
    const written = shown(route);
    let rival = file(route, byShape);
    if (rival && !sameTypes(rival, route)) {
      route.segments = route.segments.map((segment) =>
        segment.kind === 'typed' ? { kind: 'param', name: segment.name } : segment,
      );
      rival = file(route, byShape);
    }
    if (rival) {
      notes.add(`\`${written}\` matches the same requests as \`${shown(rival)}\` and is left out.`);
    } else {
      kept.add(route);
      if (shown(route) !== written) notes.add(`\`${written}\` overlaps another path and became \`${shown(route)}\`.`);
    }
  }
  return routes.filter((route) => kept.has(route));
}

const narrowness = (route: RouteDraft): number =>
  route.segments.reduce((sum, segment) => sum + (segment.kind === 'typed' ? segment.narrowness : 0), 0);

/** Takes the route in, or returns the one that is in its way. */
function file(route: RouteDraft, byShape: Map<string, RouteDraft[]>): RouteDraft | undefined {
  const shape = shapeOf(route);
  const peers = byShape.get(shape) ?? [];
  const rival = peers.find((peer) => overlap(peer, route));
  if (rival === undefined) byShape.set(shape, [...peers, route]);
  return rival;
}

/** Equal for routes among which gw's precedence does not decide. */
function shapeOf(route: RouteDraft): string {
  const steps = route.segments.map((segment) => (segment.kind === 'literal' ? `/${segment.text}` : `:${segment.kind}`));
  return [route.method, route.query.length, ...steps].join('\n');
}

function overlap(a: RouteDraft, b: RouteDraft): boolean {
  const contradict = a.query.some(([name, value]) => b.query.some(([other, its]) => name === other && value !== its));
  if (contradict) return false;
  return a.segments.every((segment, index) => {
    const other = b.segments[index];
    if (segment.kind !== 'typed' || other?.kind !== 'typed') return true;
    return commonExample(dfaOf(segment.type), dfaOf(other.type)) !== undefined;
  });
}

function sameTypes(a: RouteDraft, b: RouteDraft): boolean {
  return a.segments.every((segment, index) => {
    const other = b.segments[index];
    return segment.kind !== 'typed' || (other?.kind === 'typed' && equivalent(dfaOf(segment.type), dfaOf(other.type)));
  });
}

function dfaOf(type: string): Dfa {
  const compiled = compilePattern(NAMED_TYPES[type] ?? type);
  if ('error' in compiled) throw new Error(`pattern ${type}: ${compiled.error}`);
  return compiled.dfa;
}

const shown = (route: RouteDraft): string => `${route.method} ${pathText(route.segments)}`;

/** A name stands for one route: repeated operation ids get their method and a number. */
function nameApart(routes: readonly RouteDraft[]): void {
  const taken = new Set<string>();
  for (const route of routes) {
    const base = taken.has(route.name) ? `${route.name}-${route.method.toLowerCase()}` : route.name;
    let name = base;
    for (let count = 2; taken.has(name); count++) name = `${base}-${count}`;
    taken.add(name);
    route.name = name;
  }
}
