/** The bytes of a document -> plain data: JSON or YAML, within bounds of time and memory. */
import { createRequire } from 'node:module';
import type * as Yaml from 'yaml';
import type { Alias, Document, YAMLMap } from 'yaml';

/** Loaded for the first YAML document: it takes longer to load than the compiler. */
let loaded: typeof Yaml | undefined;
function yaml(): typeof Yaml {
  loaded ??= createRequire(import.meta.url)('yaml') as typeof Yaml;
  return loaded;
}

/** A text that is not an OpenAPI document. The message is a sentence that says what to do. */
export class DocumentError extends Error {}

const failed = (message: string): DocumentError => new DocumentError(message);

export type Data = null | boolean | number | string | readonly Data[] | DataTable;
export interface DataTable {
  readonly [key: string]: Data | undefined;
}

/** The YAML parser takes about half a second for each megabyte; JSON a fiftieth of it. */
const MAX_YAML_CHARACTERS = 24 * 1024 * 1024;
/** Values of a YAML document once every alias is written out. */
const MAX_EXPANDED = 5_000_000;
/** Deeper documents would overflow the stack of the parser, or of what walks their schemas. */
const MAX_DEPTH = 500;

export interface ParsedText {
  readonly data: Data;
  /** Keys that occur twice under `paths` or in one path: only the last counts. */
  readonly repeated: readonly string[];
}

/** UTF-8, or UTF-16 with a byte order mark, as Windows shells write it. Throws DocumentError for other bytes. */
export function decodeDocument(bytes: Uint8Array, name: string): string {
  const encoding =
    bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : 'utf-8';
  const text = new TextDecoder(encoding).decode(bytes);
  if (text.includes('\0')) throw failed(`${name} is not a text file: it contains NUL bytes.`);
  return text;
}

/** Throws DocumentError, with a sentence that says what to do, for text that is neither JSON nor YAML. `name` is the file's. */
export function parseText(given: string, name: string): ParsedText {
  const text = given.replace(/^\uFEFF/, '');
  if (text.trim() === '') throw failed(`${name} is empty.`);
  if (/^\s*</.test(text)) {
    throw failed(
      `${name} contains HTML or XML, not an OpenAPI document. Perhaps a sign-in page was saved in its place.`,
    );
  }
  if (/^\s*[{[]/.test(text) || name.endsWith('.json')) {
    try {
      return { data: JSON.parse(text) as Data, repeated: repeatedInJson(text) };
    } catch (error) {
      // YAML's flow style starts with the same characters; for a file called .json the JSON error says more.
      if (name.endsWith('.json')) throw failed(jsonProblem(text, name, (error as Error).message));
    }
  }
  return parseYaml(text, name);
}

/** Throws DocumentError for data that would overflow the stack of code that walks all of it. `name` is the file's. */
export function refuseDeep(data: Data, name: string): void {
  // Level by level: a recursion would overflow the stack itself.
  let level: readonly Data[] = [data];
  for (let depth = 0; depth <= MAX_DEPTH && level.length > 0; depth++) {
    level = level.flatMap((value) =>
      typeof value === 'object' && value !== null ? (Object.values(value) as readonly Data[]) : [],
    );
  }
  if (level.length > 0) throw failed(`${name} is nested more than ${MAX_DEPTH} levels deep.`);
}

function jsonProblem(text: string, name: string, message: string): string {
  if (/^\s*(\/\/|\/\*)|[,{[\]}]\s*(\/\/|\/\*)/m.test(text)) {
    return `${name} is not valid JSON: it contains comments, which JSON does not allow. Remove them, or write the document as YAML.`;
  }
  if (/^\s*(openapi|swagger)\s*:/m.test(text)) {
    return `${name} is not valid JSON: it looks like YAML. Give the file a name that ends in .yaml.`;
  }
  return `${name} is not valid JSON: ${message.replaceAll('\n', ' ').slice(0, 200)}`;
}

function parseYaml(text: string, name: string): ParsedText {
  if (text.length > MAX_YAML_CHARACTERS) {
    throw failed(
      `${name} has ${Math.ceil(text.length / 1024 ** 2)} MiB of YAML, which would take minutes to read. Convert it to JSON first.`,
    );
  }
  const invalid = (why: string): Error => failed(`${name} is not valid YAML: ${why.trimEnd()}`);
  if (deepestNesting(text) > MAX_DEPTH) throw invalid(`it is nested more than ${MAX_DEPTH} levels deep.`);
  const document = yaml().parseDocument(text, { uniqueKeys: false, logLevel: 'silent', version: '1.2', merge: true });
  const [problem] = document.errors;
  if (problem) throw invalid(problem.message);
  const why = aliasProblem(document);
  if (why !== undefined) throw invalid(why);
  try {
    return { data: document.toJS({ maxAliasCount: -1 }) as Data, repeated: repeatedInYaml(document) };
  } catch (error) {
    throw invalid((error as Error).message);
  }
}

/** An upper bound: brackets of the flow style, and columns of the block style. */
function deepestNesting(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x5b || code === 0x7b) deepest = Math.max(deepest, ++depth);
    else if (code === 0x5d || code === 0x7d) depth = Math.max(0, depth - 1);
    else if (code === 0x0a) depth = 0;
  }
  return deepest;
}

/** Counts the values of the document with its aliases expanded, without expanding them. */
function aliasProblem(document: Document.Parsed): string | undefined {
  const { isAlias, isMap, isPair, isScalar, isSeq } = yaml();
  const sizes = new Map<unknown, number>();
  const open = new Set<unknown>();
  let problem: string | undefined;
  const anchors = new Map<string, unknown>();
  const sizeOf = (node: unknown): number => {
    if (isAlias(node)) return aliasSize(node);
    if (isPair(node)) return sizeOf(node.key) + sizeOf(node.value);
    if (!isMap(node) && !isSeq(node)) {
      if (isScalar(node) && node.anchor !== undefined) anchors.set(node.anchor, node);
      return 1;
    }
    const known = sizes.get(node);
    if (known !== undefined) return known;
    if (node.anchor !== undefined) anchors.set(node.anchor, node);
    open.add(node);
    let total = 1;
    for (const item of node.items) total = Math.min(total + sizeOf(item), Number.MAX_SAFE_INTEGER);
    open.delete(node);
    sizes.set(node, total);
    return total;
  };
  const aliasSize = (alias: Alias): number => {
    const target = anchors.get(alias.source);
    if (target === undefined) problem ??= `the alias \`*${alias.source}\` has no anchor before it.`;
    else if (open.has(target)) problem ??= `the alias \`*${alias.source}\` is inside the value that it refers to.`;
    else return sizes.get(target) ?? 1;
    return 1;
  };
  const total = sizeOf(document.contents);
  if (problem !== undefined) return problem;
  return total > MAX_EXPANDED ? 'its aliases multiply to more than five million values.' : undefined;
}

function repeatedInYaml(document: Document.Parsed): string[] {
  const { isMap } = yaml();
  const repeated = new Set<string>();
  const paths = isMap(document.contents) ? document.contents.get('paths') : undefined;
  if (!isMap(paths)) return [];
  noteRepeated(paths, '', repeated);
  for (const { key, value } of paths.items) if (isMap(value)) noteRepeated(value, `${keyText(key)} `, repeated);
  return [...repeated];
}

function noteRepeated(map: YAMLMap, before: string, repeated: Set<string>): void {
  const seen = new Set<string>();
  for (const { key } of map.items) {
    const text = keyText(key);
    // Merge keys repeat on purpose.
    if (seen.has(text) && text !== '<<') repeated.add(`${before}${text}`);
    seen.add(text);
  }
}

const keyText = (key: unknown): string => String(yaml().isScalar(key) ? (key as Yaml.Scalar).value : key);

/** Walks valid JSON once and looks at the keys of the top level's `paths` and of the tables in it. */
function repeatedInJson(text: string): string[] {
  const repeated = new Set<string>();
  const seen: Set<string>[] = [];
  let depth = 0;
  let path = '';
  let inPaths = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x7b || code === 0x5b) {
      depth++;
      if (depth <= 3) seen[depth] = new Set();
    } else if (code === 0x7d || code === 0x5d) depth--;
    else if (code === 0x22) {
      const start = at;
      do {
        at = text.indexOf('"', at + 1);
      } while (isEscaped(text, at));
      if (depth > 3 || (depth > 1 && !inPaths)) continue;
      if (!/^\s*:/.test(text.slice(at + 1, at + 40))) continue;
      const key = JSON.parse(text.slice(start, at + 1)) as string;
      if (depth === 1) inPaths = key === 'paths';
      else if (seen[depth]?.has(key)) repeated.add(depth === 2 ? key : `${path} ${key}`);
      if (depth === 2) path = key;
      seen[depth]?.add(key);
    }
  }
  return [...repeated];
}

function isEscaped(text: string, quote: number): boolean {
  let at = quote - 1;
  while (text.charCodeAt(at) === 0x5c) at--;
  return (quote - at) % 2 === 0;
}
