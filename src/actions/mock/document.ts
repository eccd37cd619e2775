/** Finds the operations of a mock in its document. */
import type { PolicyContext } from '../../policies/contract.js';
import {
  DocumentError,
  type OpenApiDocument,
  type Operation,
  openOpenApi,
  operationsAt,
  operationsOf,
} from '../../policies/kits/openapi.js';
import type { MockConfig } from './schema.js';

/** What is wrong, for a diagnostic. */
export interface Fault {
  readonly code: 'mock/document' | 'mock/operation';
  readonly at: readonly ['document'] | readonly ['operation'];
  readonly message: string;
  readonly help?: string;
}

export interface Found {
  readonly document: OpenApiDocument;
  /** By method; `*` if the config names the operation. */
  readonly operations: ReadonlyMap<string, Operation>;
}

/** Opens the document and finds the operations of the route, or the one that the config names. */
export function findOperations(config: MockConfig, { readFile, routes }: PolicyContext): Found | Fault {
  const name = config.document ?? '';
  try {
    const document = openOpenApi(readFile, name);
    const found = operationsIn(document, config, routes[0]);
    const [fault] = document.faults;
    return 'code' in found && fault !== undefined ? brokenReference(fault) : found;
  } catch (error) {
    if (!(error instanceof DocumentError)) throw error;
    const help =
      'Write the path of an OpenAPI 3.0 or 3.1 document, in JSON or YAML, relative to the folder of the spec.';
    return { code: 'mock/document', at: ['document'], message: error.message, help };
  }
}

/** `message`: a sentence about a reference that cannot be followed. */
export const brokenReference = (message: string): Fault => ({
  code: 'mock/document',
  at: ['document'],
  message,
  help: 'Correct the reference. Paths in it are relative to the file that has it.',
});

function operationsIn(
  document: OpenApiDocument,
  { operation: wanted, document: name }: MockConfig,
  route: PolicyContext['routes'][number] | undefined,
): Found | Fault {
  if (wanted !== undefined) {
    const [method, path] = wanted.split(/\s+/);
    const found =
      path === undefined
        ? operationsOf(document).find(({ id }) => id === wanted)
        : operationsAt(document, path, [method?.toUpperCase() ?? ''])[0];
    if (found !== undefined) return { document, operations: new Map([['*', found]]) };
    const message = `\`${name}\` has no operation \`${wanted}\`.`;
    return { code: 'mock/operation', at: ['operation'], message, help: someOperations(document) };
  }
  const { methods = [], path = '/' } = route ?? {};
  const here = operationsAt(document, path, methods.includes('HEAD') ? [...methods, 'GET'] : methods);
  if (here.length > 0) return { document, operations: new Map(here.map((one) => [one.method, one])) };
  const of = methods.length === 0 ? path : `${methods.join(',')} ${path}`;
  return {
    code: 'mock/operation',
    at: ['document'],
    message: `\`${name}\` has no operation for \`${of}\`, the match of the route.`,
    help: `Name one with \`operation\`. ${someOperations(document)}`,
  };
}

function someOperations(document: OpenApiDocument): string {
  const names = operationsOf(document).map(({ id, method, path }) => `\`${id ?? `${method} ${path}`}\``);
  const more = names.length > 5 ? ', ...' : '';
  return names.length === 0 ? 'The document has no operations.' : `Operations: ${names.slice(0, 5).join(', ')}${more}.`;
}
