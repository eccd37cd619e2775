/** Finds an operation of an OpenAPI document. */
import { type Data, type DataTable, field, isTable, type OpenApiDocument, textOf } from './document.js';

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

/** All operations, in the order of the document. */
export function operationsOf(document: OpenApiDocument): Operation[] {
  const paths = document.resolve(field(document.root, 'paths'));
  if (!isTable(paths)) return [];
  return Object.entries(paths).flatMap(([path, written]) => {
    const item = path.startsWith('/') ? document.resolve(written) : undefined;
    if (!isTable(item)) return [];
    return METHODS.flatMap((method): Operation[] => {
      const data = document.resolve(field(item, method));
      if (!isTable(data)) return [];
      return [{ method: method.toUpperCase(), path, id: textOf(field(data, 'operationId')), data, item }];
    });
  });
}

/** The operations at a path in which parameters may have any name and type: `/orders/{id:int}`. */
export function operationsAt(document: OpenApiDocument, path: string): Operation[] {
  const all = operationsOf(document);
  const wanted = shapeOf(path);
  const exact = all.filter((operation) => shapeOf(operation.path) === wanted);
  if (exact.length > 0) return exact;
  const bases = basePaths(field(document.root, 'servers'));
  return all.filter((operation) => bases.some((base) => shapeOf(base + operation.path) === wanted));
}

/** `/orders/{}` for `/orders/{id:int}` and `/orders/{orderId}`. */
const shapeOf = (path: string): string =>
  path
    .split('/')
    .map((segment) => (/^\{.*\}$/.test(segment) ? '{}' : segment))
    .join('/');

/** Paths of the servers' URLs, without a slash at the end. */
function basePaths(servers: Data | undefined): string[] {
  if (!Array.isArray(servers)) return [];
  return servers.flatMap((server: Data) => {
    const url = textOf(field(server, 'url')) ?? '';
    const path = url.replace(/^[a-z]+:\/\/[^/]*/i, '').replace(/\/+$/, '');
    return path.startsWith('/') ? [path] : [];
  });
}
