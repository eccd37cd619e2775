/** Reading an OpenAPI document: JSON or YAML to plain data, with local references followed. */
import { parseDocument } from 'yaml';
import { failed } from '../exit.js';

export type Data = null | boolean | number | string | readonly Data[] | DataTable;
export interface DataTable {
  readonly [key: string]: Data | undefined;
}

/** Longest chain of references that is followed; a cycle ends there too. */
const MOST_HOPS = 32;

export const isTable = (data: Data | undefined): data is DataTable =>
  typeof data === 'object' && data !== null && !Array.isArray(data);
export const isList = (data: Data | undefined): data is readonly Data[] => Array.isArray(data);
export const textOf = (data: Data | undefined): string | undefined => (typeof data === 'string' ? data : undefined);

/** An own property only: a document may name a key `constructor`. */
export function field(table: Data | undefined, key: string): Data | undefined {
  return isTable(table) && Object.hasOwn(table, key) ? table[key] : undefined;
}

export class OpenApiDocument {
  constructor(
    readonly root: DataTable,
    /** `3.0.3`. */
    readonly version: string,
  ) {}

  /** Follows `$ref` while there is one. Undefined when it leads out of the document, nowhere, or in a circle. */
  resolve(data: Data | undefined): Data | undefined {
    let current = data;
    for (let hop = 0; hop < MOST_HOPS; hop++) {
      const reference = textOf(field(current, '$ref'));
      if (reference === undefined) return current;
      current = this.#pointer(reference);
    }
    return undefined;
  }

  /** RFC 6901, in a URI fragment. */
  #pointer(reference: string): Data | undefined {
    if (reference === '#') return this.root;
    if (!reference.startsWith('#/')) return undefined;
    let current: Data | undefined = this.root;
    for (const raw of reference.slice(2).split('/')) {
      const key = decoded(raw).replaceAll('~1', '/').replaceAll('~0', '~');
      current = isList(current) ? current[Number(key)] : field(current, key);
    }
    return current;
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A stray percent sign: the key is meant as it stands.
    return text;
  }
}

/** Throws Stop when the text is not an OpenAPI 3 document. `name` is the file's, for messages. */
export function parseOpenApi(text: string, name: string): OpenApiDocument {
  const root = parseData(text.replace(/^\uFEFF/, ''), name);
  if (!isTable(root)) throw failed(`${name} is no OpenAPI document: it holds no table of keys.`);
  if (field(root, 'swagger') !== undefined) {
    throw failed(`${name} is a Swagger 2.0 document. Convert it to OpenAPI 3 first, then import the result.`);
  }
  const version = textOf(field(root, 'openapi'));
  if (version === undefined) throw failed(`${name} is no OpenAPI document: the key \`openapi\` is missing.`);
  if (!/^3\.[01](\.|$)/.test(version)) {
    throw failed(`${name} is OpenAPI ${version}; gw reads OpenAPI 3.0 and 3.1.`);
  }
  return new OpenApiDocument(root, version);
}

function parseData(text: string, name: string): Data {
  if (/^\s*[{[]/.test(text)) {
    try {
      return JSON.parse(text) as Data;
    } catch (error) {
      // YAML's flow style starts with the same characters; for a file called .json the JSON error says more.
      if (name.endsWith('.json')) throw failed(`${name} is not valid JSON: ${(error as Error).message}`);
    }
  }
  const document = parseDocument(text, { uniqueKeys: false, logLevel: 'silent', version: '1.2' });
  const [problem] = document.errors;
  if (problem) throw failed(`${name} is not valid YAML: ${problem.message.trimEnd()}`);
  try {
    return document.toJS({ maxAliasCount: 1000 }) as Data;
  } catch (error) {
    // Aliases without an anchor, or so many that they are an attack.
    throw failed(`${name} is not valid YAML: ${(error as Error).message}`);
  }
}
