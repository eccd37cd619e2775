/**
 * Documents that refer to other files by relative paths: OpenAPI documents, JSON Schemas. Each file is read and parsed once
 * for a load of the spec, and the number and size of the files of a document are bounded.
 */
import { posix } from 'node:path';
import { type Data, type DataTable, DocumentError, parseText, refuseDeep } from './text.js';

/** A file's text, or why it cannot be read. */
export type FileText =
  | { readonly text: string; readonly cause?: undefined }
  | { readonly text?: undefined; readonly cause: string };
export type ReadFile = (path: string) => FileText;

/** Files that one document may lead to, itself included. */
const MAX_FILES = 1000;
/** Characters of all of them. YAML takes about half a second for a million. */
const MAX_CHARACTERS = 24 * 1024 * 1024;

export interface DocumentFile {
  /** Normalised, relative to the folder that the reader's paths are relative to. */
  readonly path: string;
  readonly data: Data;
  /** Keys that occur twice, see ParsedText. */
  readonly repeated: readonly string[];
  readonly characters: number;
  /** Tables with an `$id`, by absolute URI where it is one. */
  readonly ids: ReadonlyMap<string, DataTable>;
  /** Tables with an `$anchor`. */
  readonly anchors: ReadonlyMap<string, DataTable>;
}

/** Where the references of a table begin. */
interface Origin {
  readonly file: DocumentFile;
  /** The whole file, or the innermost table around it with an `$id`: JSON Schema 2020-12 section 8.2.1. */
  readonly base: Data;
  /** URI of that table; undefined for none. */
  readonly uri: string | undefined;
}

/** Where a reference leads: the document, and the fragment within it. */
export interface Place {
  readonly file: DocumentFile;
  readonly base: Data;
  /** JSON pointer or name of an anchor, still percent-encoded; '' for the whole. */
  readonly fragment: string;
}

/** Parsed files, or what is wrong with them, as long as a load keeps its reader. */
const parsed = new WeakMap<ReadFile, Map<string, DocumentFile | DocumentError>>();
/** Of the tables of parsed files that have references. */
const origins = new WeakMap<object, Origin>();

/** The files of one document. */
export class DocumentFiles {
  readonly #read: ReadFile;
  readonly #taken = new Set<string>();
  #characters = 0;

  constructor(read: ReadFile) {
    this.#read = read;
  }

  /** Throws DocumentError, with a sentence, for a file that cannot be read or parsed, and beyond the bounds. */
  open(path: string): DocumentFile {
    const normal = posix.normalize(path);
    if (!this.#taken.has(normal) && this.#taken.size >= MAX_FILES) {
      throw new DocumentError(`References lead to more than ${MAX_FILES} files.`);
    }
    const file = parsedFile(this.#read, normal);
    if (this.#taken.has(normal)) return file;
    this.#taken.add(normal);
    this.#characters += file.characters;
    if (this.#characters > MAX_CHARACTERS) {
      throw new DocumentError(`References lead to files with more than ${MAX_CHARACTERS / 1024 ** 2} MiB together.`);
    }
    return file;
  }

  /** Where `reference`, a value in `table`, leads. `root`: the file of tables that are not part of one. */
  locate(table: DataTable, reference: string, root: DocumentFile): Place {
    const { file, base, uri } = origins.get(table) ?? { file: root, base: root.data, uri: undefined };
    const [address, fragment] = splitReference(reference);
    if (address === '') return { file, base, fragment };
    const absolute = URL.canParse(address, uri) ? new URL(address, uri).href : address;
    const known = file.ids.get(absolute);
    if (known !== undefined) return { file, base: known, fragment };
    if (/^([a-z][a-z0-9+.-]*:|\/\/)/i.test(address)) {
      throw new DocumentError('gw downloads no documents. Save it as a file, and refer to that by a relative path.');
    }
    if (address.startsWith('/')) throw new DocumentError('Write a path that is relative to the file.');
    const other = this.open(posix.join(posix.dirname(file.path), decodedText(address)));
    return { file: other, base: other.data, fragment };
  }

  /** Path of the file that a table is part of; undefined for one without references. */
  pathOf(table: DataTable): string | undefined {
    return origins.get(table)?.file.path;
  }
}

/** Address and fragment of a URI reference. */
export function splitReference(reference: string): readonly [address: string, fragment: string] {
  const hash = reference.indexOf('#');
  return hash < 0 ? [reference, ''] : [reference.slice(0, hash), reference.slice(hash + 1)];
}

/** Percent-decoded; a stray percent sign is literal. */
export function decodedText(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function parsedFile(read: ReadFile, path: string): DocumentFile {
  let files = parsed.get(read);
  if (files === undefined) {
    files = new Map();
    parsed.set(read, files);
  }
  let file = files.get(path);
  if (file === undefined) {
    file = parse(read(path), path);
    files.set(path, file);
  }
  if (file instanceof DocumentError) throw file;
  return file;
}

function parse({ text, cause }: FileText, path: string): DocumentFile | DocumentError {
  if (text === undefined) return new DocumentError(`\`${path}\` cannot be read: ${cause}.`);
  try {
    const { data, repeated } = parseText(text, path);
    refuseDeep(data, path);
    return new Marker(data, repeated, { path, characters: text.length }).file;
  } catch (error) {
    if (error instanceof DocumentError) return error;
    throw error;
  }
}

/** Notes where the references of a file begin. */
class Marker {
  readonly file: DocumentFile;
  readonly #ids = new Map<string, DataTable>();
  readonly #anchors = new Map<string, DataTable>();
  /** An alias of YAML is the same object as its anchor. */
  readonly #seen = new Set<object>();

  constructor(
    data: Data,
    repeated: readonly string[],
    { path, characters }: Pick<DocumentFile, 'path' | 'characters'>,
  ) {
    this.file = { path, data, repeated, characters, ids: this.#ids, anchors: this.#anchors };
    this.#mark(data, { file: this.file, base: data, uri: undefined });
  }

  #mark(data: Data | undefined, around: Origin): void {
    if (typeof data !== 'object' || data === null || this.#seen.has(data)) return;
    this.#seen.add(data);
    if (Array.isArray(data)) {
      for (const item of data as readonly Data[]) this.#mark(item, around);
      return;
    }
    const table = data as DataTable;
    const origin = this.#named(table, around);
    if (typeof table['$ref'] === 'string' || typeof table['mapping'] === 'object') origins.set(table, origin);
    for (const value of Object.values(table)) this.#mark(value, origin);
  }

  #named(table: DataTable, around: Origin): Origin {
    for (const key of ['$anchor', '$dynamicAnchor']) {
      const name = table[key];
      if (typeof name === 'string' && !this.#anchors.has(name)) this.#anchors.set(name, table);
    }
    const id = table['$id'];
    if (typeof id !== 'string') return around;
    const [address, fragment] = splitReference(id);
    // Draft-07 section 8.2.3: such an id is an anchor.
    if (fragment !== '') this.#anchors.set(fragment, table);
    if (address === '') return around;
    const uri = URL.canParse(address, around.uri) ? new URL(address, around.uri).href : address;
    if (!this.#ids.has(uri)) this.#ids.set(uri, table);
    return { file: this.file, base: table, uri };
  }
}
