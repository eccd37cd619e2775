/** An OpenAPI document: its version, and its references followed. */
import { type DocumentFile, DocumentFiles, decodedText, type ReadFile } from './files.js';
import { type Data, type DataTable, DocumentError, parseText } from './text.js';

export { type Data, type DataTable, DocumentError, decodeDocument } from './text.js';

const failed = (message: string): DocumentError => new DocumentError(message);

/** Documents are not trusted with a terminal: control characters become spaces. */
const printable = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');

/** References that are followed to find one target. */
const MAX_HOPS = 200;

/** Counts them down. */
interface Hops {
  left: number;
}
/** References that are reported. */
const MAX_FAULTS = 10;

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

/** Why a reference cannot be followed: a phrase after `refers to`. `elsewhere`: it leads to a file or URL that gw does not read. */
interface Broken {
  readonly broken: string;
  readonly elsewhere: boolean;
  /** Has the reference. */
  readonly table: DataTable;
}
/** The target of a reference, or why it cannot be followed. */
export type Resolved = { readonly data: Data | undefined } | Broken;

export class OpenApiDocument {
  /** Sentences about references that could not be followed. */
  readonly #faults = new Set<string>();
  readonly #files: DocumentFiles | undefined;
  readonly #file: DocumentFile;

  constructor(
    readonly root: DataTable,
    /** `3.0.3`. */
    readonly version: string,
    /** Keys under `paths` that occur twice. */
    readonly repeated: readonly string[] = [],
    /** With it, references to other files are followed. `file` is that of the document. */
    files?: { readonly all: DocumentFiles; readonly file: DocumentFile },
  ) {
    this.#files = files?.all;
    this.#file = files?.file ?? { path: '', data: root, repeated, characters: 0, ids: new Map(), anchors: new Map() };
  }

  /** What is wrong with the references that resolve() and step() met, as sentences. */
  get faults(): readonly string[] {
    return [...this.#faults];
  }

  /** Follows `$ref` to the end. Undefined if it cannot be followed, which `faults` then says. */
  resolve(data: Data | undefined): Data | undefined {
    const resolved = this.follow(data);
    if ('data' in resolved) return resolved.data;
    this.#note(resolved);
    return undefined;
  }

  /** The same, with the reason where a reference cannot be followed. */
  follow(data: Data | undefined): Resolved {
    return this.#follow(data, { left: MAX_HOPS });
  }

  /** What the `$ref` of a table names, which may be a reference again. Undefined like for resolve(). */
  step(table: DataTable): Data | undefined {
    const target = this.#target(table, { left: MAX_HOPS });
    if ('data' in target) return target.data;
    this.#note(target);
    return undefined;
  }

  /** The same for a reference that is another member of `table`, such as in `mapping`. Undefined if it cannot be followed. */
  named(reference: string, table: DataTable): Data | undefined {
    const target = this.#place(table, reference, { left: MAX_HOPS });
    return 'data' in target ? target.data : undefined;
  }

  #note({ broken, table }: Broken): void {
    const path = this.#files?.pathOf(table) ?? this.#file.path;
    if (this.#faults.size < MAX_FAULTS) this.#faults.add(`\`${path}\` refers to ${broken}.`);
  }

  #follow(data: Data | undefined, hops: Hops): Resolved {
    const tables: DataTable[] = [];
    let current = data;
    while (isTable(current) && field(current, '$ref') !== undefined) {
      if (tables.includes(current) || --hops.left < 0) return circle([...tables, current]);
      tables.push(current);
      const target = this.#target(current, hops);
      if ('broken' in target) return target;
      current = target.data;
    }
    return { data: current };
  }

  #target(table: DataTable, hops: Hops): Resolved {
    const reference = field(table, '$ref');
    if (typeof reference === 'string') return this.#place(table, reference, hops);
    return { broken: 'something that is not a reference', elsewhere: false, table };
  }

  #place(table: DataTable, reference: string, hops: Hops): Resolved {
    const refused = (broken: string, elsewhere = false): Broken => ({ broken, elsewhere, table });
    if (this.#files === undefined && !reference.startsWith('#')) {
      const kind = /^[a-z][a-z0-9+.-]*:/i.test(reference) ? 'URL' : 'file';
      return refused(`another ${kind}, ${quoted(reference)}`, true);
    }
    try {
      const files = this.#files ?? new DocumentFiles(NO_FILES);
      const { file, base, fragment } = files.locate(table, reference, this.#file);
      const isPointer = fragment === '' || fragment.startsWith('/');
      const target = isPointer ? this.#at(base, fragment, hops) : { data: file.anchors.get(fragment) };
      if ('broken' in target || target.data !== undefined) return target;
      const where = file.path === '' ? 'the document' : `\`${file.path}\``;
      return refused(`${quoted(reference)}, which is not in ${where}`);
    } catch (error) {
      if (!(error instanceof DocumentError)) throw error;
      return refused(`${quoted(reference)}: ${error.message.replace(/\.$/, '')}`);
    }
  }

  /** RFC 6901, in a URI fragment. The path may lead through references: `components: { $ref: components.yaml }`. */
  #at(base: Data, pointer: string, hops: Hops): Resolved {
    let current: Data | undefined = base;
    for (const raw of pointer.split('/').slice(1)) {
      const key = decodedText(raw).replaceAll('~1', '/').replaceAll('~0', '~');
      if (field(current, '$ref') !== undefined && field(current, key) === undefined) {
        const through: Resolved = this.#follow(current, hops);
        if ('broken' in through) return through;
        current = through.data;
      }
      current = isList(current) ? current[Number(key)] : field(current, key);
    }
    return { data: current };
  }
}

const NO_FILES = (): { readonly cause: string } => ({ cause: 'other files are not read' });

/** `tables` refer to each other; the last one is one of the others, or there are too many. */
function circle(tables: readonly DataTable[]): Broken {
  const references = tables.slice(tables.indexOf(tables.at(-1)!)).map((table) => quoted(scalarText(table['$ref'])));
  return { broken: `itself in a circle, ${references.slice(0, 6).join(' -> ')}`, elsewhere: false, table: tables[0]! };
}

const quoted = (text: string): string => `\`${text.slice(0, 120)}\``;

/** Throws DocumentError when the text is not an OpenAPI 3 document. `name` is the file's, for messages. */
export function parseOpenApi(text: string, name: string): OpenApiDocument {
  const { data, repeated } = parseText(text, name);
  const { root, version } = headOf(data, name);
  return new OpenApiDocument(root, version, repeated);
}

/** Opens a document whose references may lead to other files. Throws DocumentError when it is not an OpenAPI 3 document. */
export function openOpenApi(read: ReadFile, path: string): OpenApiDocument {
  const all = new DocumentFiles(read);
  const file = all.open(path);
  const { root, version } = headOf(file.data, path);
  return new OpenApiDocument(root, version, file.repeated, { all, file });
}

function headOf(root: Data, name: string): Pick<OpenApiDocument, 'root' | 'version'> {
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
  return { root, version: scalarText(version).trim() };
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
