/** Finds an operation of an OpenAPI document. */
import { type Data, type DataTable, field, isTable, type OpenApiDocument, textOf } from './document.js';
import { looseShapeOf, shapeOf } from './paths.js';

/** Keys of a path item that hold operations. */
const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'] as const;

export interface Operation {
  /** In capitals. */
  readonly method: string;
  /** As in the document: `/orders/{orderId}`. */
  readonly path: string;
  readonly id: string | undefined;
  readonly data: DataTable;
  /** The path item, whose parameters apply too. */
  readonly item: DataTable;
}

type Follow = (data: Data | undefined) => Data | undefined;

/** All operations whose references can be followed, in the order of the document. */
export function operationsOf(document: OpenApiDocument): Operation[] {
  const follow: Follow = (data) => {
    const found = document.follow(data);
    return 'data' in found ? found.data : undefined;
  };
  return pathsOf(document).flatMap(([path, written]) => operationsIn(path, follow(written), follow, METHODS));
}

function pathsOf(document: OpenApiDocument): [path: string, written: Data | undefined][] {
  const paths = document.resolve(field(document.root, 'paths'));
  return Object.entries(isTable(paths) ? paths : {}).filter(([path]) => path.startsWith('/'));
}

function operationsIn(path: string, item: Data | undefined, follow: Follow, methods: readonly string[]): Operation[] {
  if (!isTable(item)) return [];
  return methods.flatMap((method): Operation[] => {
    const data = follow(field(item, method));
    if (!isTable(data)) return [];
    return [{ method: method.toUpperCase(), path, id: textOf(field(data, 'operationId')), data, item }];
  });
}

/**
 * The operations at a path in which parameters may have any name and type: `/orders/{id:int}`. The path may begin with that of a
 * server's URL. `methods`: in capitals; empty for all. Notes references of these operations that cannot be followed.
 */
export function operationsAt(document: OpenApiDocument, path: string, methods: readonly string[]): Operation[] {
  const all = pathsOf(document);
  const bases = ['', ...basePaths(field(document.root, 'servers'))];
  const [shape, loose] = [shapeOf(path), looseShapeOf(path)];
  const exact: ((own: string) => boolean)[] = [
    (own) => own === path,
    ...bases.map((base) => (own: string) => shapeOf(base + own) === shape),
  ];
  // A segment such as `{name}.json` is one parameter of a route.
  const wide = bases.map((base) => (own: string) => looseShapeOf(base + own) === loose);
  const keys = METHODS.filter((method) => methods.length === 0 || methods.includes(method.toUpperCase()));
  const follow: Follow = (data) => document.resolve(data);
  for (const fit of [...exact, ...wide]) {
    const found = all.filter(([own]) => fit(own));
    if (found.length > 1 && wide.includes(fit)) continue;
    const operations = found.flatMap(([own, written]) => operationsIn(own, follow(written), follow, keys));
    if (operations.length > 0) return operations;
  }
  return [];
}

/** Paths of the servers' URLs, without a slash at the end. */
function basePaths(servers: Data | undefined): string[] {
  if (!Array.isArray(servers)) return [];
  return servers.flatMap((server: Data) => {
    const url = textOf(field(server, 'url')) ?? '';
    const path = url.replace(/^[a-z]+:\/\/[^/]*/i, '').replace(/\/+$/, '');
    return path.startsWith('/') ? [path] : [];
  });
}
