/** An OpenAPI document: its version, and its references followed. */
import { type Data, type DataTable, DocumentError, parseText } from './text.js';

export { type Data, type DataTable, DocumentError, decodeDocument } from './text.js';

const failed = (message: string): DocumentError => new DocumentError(message);

/** Documents are not trusted with a terminal: control characters become spaces. */
const printable = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');

/** Longest chain of references that is followed. */
const MAX_HOPS = 100;

export const isTable = (data: Data | undefined): data is DataTable =>
  typeof data === 'object' && data !== null && !Array.isArray(data);
export const isList = (data: Data | undefined): data is readonly Data[] => Array.isArray(data);
/** A scalar as text; '' for what is not one. */
export const scalarText = (data: Data | undefined): string =>
  data === null || data === undefined || typeof data === 'object' ? '' : String(data);
export const textOf = (data: Data | undefined): string | undefined => (typeof data === 'string' ? data : undefined);

/** An own property only: a document may name a key `constructor`. */
export function field(table: Data | undefined, key: string): Data | undefined {
  return isTable(table) && Object.hasOwn(table, key) ? table[key] : undefined;
}

/** The target of a reference, or why it cannot be followed: a phrase after `refers to`. */
export type Resolved = { readonly data: Data | undefined } | { readonly broken: string; readonly elsewhere: boolean };

export class OpenApiDocument {
  constructor(
    readonly root: DataTable,
    /** `3.0.3`. */
    readonly version: string,
    /** Keys under `paths` that occur twice. */
    readonly repeated: readonly string[] = [],
  ) {}

  /** Follows `$ref` to the end. Undefined if it leads out of the document, to nothing, or in a circle. */
  resolve(data: Data | undefined): Data | undefined {
    const resolved = this.follow(data);
    return 'data' in resolved ? resolved.data : undefined;
  }

  /** The same, with the reason where a reference cannot be followed. */
  follow(data: Data | undefined): Resolved {
    const chain: string[] = [];
    let current = data;
    for (;;) {
      const reference = field(current, '$ref');
      if (reference === undefined) return { data: current };
      if (typeof reference !== 'string') return { broken: 'something that is not a reference', elsewhere: false };
      if (chain.includes(reference) || chain.length > MAX_HOPS) {
        const circle = [...chain.slice(chain.indexOf(reference)), reference];
        return { broken: `itself in a circle, ${circle.slice(0, 6).map(quoted).join(' -> ')}`, elsewhere: false };
      }
      chain.push(reference);
      if (reference !== '#' && !reference.startsWith('#/')) {
        const kind = /^[a-z][a-z0-9+.-]*:/i.test(reference) ? 'URL' : 'file';
        return { broken: `another ${kind}, ${quoted(reference)}`, elsewhere: true };
      }
      current = this.#pointer(reference);
      if (current === undefined)
        return { broken: `${quoted(reference)}, which is not in the document`, elsewhere: false };
    }
  }

  /** RFC 6901, in a URI fragment. */
  #pointer(reference: string): Data | undefined {
    if (reference === '#') return this.root;
    let current: Data | undefined = this.root;
    for (const raw of reference.slice(2).split('/')) {
      const key = decoded(raw).replaceAll('~1', '/').replaceAll('~0', '~');
      // References within the path of a reference are not followed.
      if (field(current, '$ref') !== undefined && field(current, key) === undefined) return undefined;
      current = isList(current) ? current[Number(key)] : field(current, key);
    }
    return current;
  }
}

const quoted = (text: string): string => `\`${text.slice(0, 120)}\``;

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A stray percent sign: the key is literal.
    return text;
  }
}

/** Throws DocumentError when the text is not an OpenAPI 3 document. `name` is the file's, for messages. */
export function parseOpenApi(text: string, name: string): OpenApiDocument {
  const { data: root, repeated } = parseText(text, name);
  if (!isTable(root)) throw failed(`${name} is not an OpenAPI document: its content is not a table of keys.`);
  if (field(root, 'swagger') !== undefined) {
    throw failed(
      `${name} is a Swagger ${printable(scalarText(field(root, 'swagger'))).slice(0, 40)} document. Convert it to OpenAPI 3 first, then import the result: \`npx swagger2openapi ${name} -o openapi.json\`.`,
    );
  }
  const version = field(root, 'openapi');
  if (version === undefined || version === null)
    throw failed(`${name} is not an OpenAPI document: ${insteadOfOpenApi(root)}`);
  if (typeof version === 'number' && version < 3.2) {
    const meant = version === 3.1 ? '3.1.0' : '3.0.3';
    throw failed(
      `${name} says \`openapi: ${version === 3 ? '3.0' : version}\`, which is a number. The version is a text of three numbers: write \`openapi: "${meant}"\`.`,
    );
  }
  if (!/^\s*3\.[01](\.|\s*$)/.test(scalarText(version))) {
    throw failed(`${name} is OpenAPI ${printable(scalarText(version)).slice(0, 40)}; gw reads OpenAPI 3.0 and 3.1.`);
  }
  return new OpenApiDocument(root, scalarText(version).trim(), repeated);
}

/** What kind of document it seems to be if the key `openapi` is missing. */
function insteadOfOpenApi(root: DataTable): string {
  if (field(root, 'asyncapi') !== undefined) return 'it is AsyncAPI, which describes messages, not HTTP requests.';
  if (field(root, 'discoveryVersion') !== undefined)
    return 'it is a Google discovery document. Convert it to OpenAPI 3 first.';
  if (field(field(root, 'info'), '_postman_id') !== undefined || field(root, 'item') !== undefined) {
    return 'it looks like a Postman collection. Export it as OpenAPI 3 first.';
  }
  const other = Object.keys(root).find((key) => /^open-?api$/i.test(key));
  if (other !== undefined) return `the key is written \`${other}\`; write \`openapi\`.`;
  return 'the key `openapi` is missing. A document begins with its version, such as `openapi: "3.1.0"`.';
}
