/**
 * The shadow of a TOML document: the positions of its keys and values, without their meaning. Values come only from
 * `toml`.
 */
import { type AST, parseTOML } from 'toml-eslint-parser';

export type Range = readonly [start: number, end: number];

export interface Shadow {
  readonly kind: 'table' | 'array' | 'scalar';
  readonly range: Range;
  /** Range of the header, `[service.orders]`, of a table that has one. */
  head: Range | undefined;
  /** All places where the key is written. */
  readonly keys: Range[];
  readonly entries: Map<string, Shadow>;
  readonly items: Shadow[];
}

/** Shared by all scalars, which are most of a document and have no children. */
const NO_ENTRIES: Shadow['entries'] = new Map();
const NO_ITEMS: Shadow['items'] = [];

export const shadowOf = (kind: Shadow['kind'], range: Range, key?: Range): Shadow => ({
  kind,
  range,
  head: undefined,
  keys: key ? [key] : [],
  entries: kind === 'scalar' ? NO_ENTRIES : new Map(),
  items: kind === 'scalar' ? NO_ITEMS : [],
});

/** The whole text after a byte order mark, so that insertions at the start stay behind the mark. */
export const wholeOf = (text: string): Range => [text.startsWith('\ufeff') ? 1 : 0, text.length];

/** Throws the errors of the parser. A byte order mark is replaced by a space, which keeps all offsets. */
export function shadowFromSyntax(text: string): Shadow {
  const program = parseTOML(text.startsWith('\ufeff') ? ` ${text.slice(1)}` : text, { tomlVersion: '1.1' });
  const root = shadowOf('table', wholeOf(text));
  for (const node of program.body[0].body) {
    if (node.type === 'TOMLKeyValue') addKeyValue(root, node);
    else addTable(root, node, text);
  }
  return root;
}

function addTable(root: Shadow, node: AST.TOMLTable, text: string): void {
  const keys = node.key.keys;
  let at = root;
  let part = -1;
  node.resolvedKey.forEach((step, index) => {
    const last = index === node.resolvedKey.length - 1;
    if (typeof step === 'number') {
      at.items[step] ??= shadowOf('table', node.range, keys[part]?.range);
      at = at.items[step];
      return;
    }
    part++;
    const isArray = typeof node.resolvedKey[index + 1] === 'number';
    at = child(at, step, isArray ? 'array' : 'table', last ? node.range : node.key.range, keys[part]?.range);
  });
  if (at.head === undefined) {
    const close = text.indexOf(']', node.key.range[1]);
    at.head = [node.range[0], close < 0 ? node.key.range[1] : close + (node.kind === 'array' ? 2 : 1)];
  }
  for (const entry of node.body) addKeyValue(at, entry);
}

function addKeyValue(table: Shadow, node: AST.TOMLKeyValue): void {
  const keys = node.key.keys;
  let at = table;
  for (const key of keys.slice(0, -1)) at = child(at, keyName(key), 'table', node.range, key.range);
  const last = keys.at(-1);
  if (last && !at.entries.has(keyName(last))) at.entries.set(keyName(last), valueShadow(node.value, last.range));
}

function valueShadow(node: AST.TOMLContentNode, key?: Range): Shadow {
  switch (node.type) {
    case 'TOMLArray': {
      const array = shadowOf('array', node.range, key);
      for (const element of node.elements) array.items.push(valueShadow(element));
      return array;
    }
    case 'TOMLInlineTable': {
      const table = shadowOf('table', node.range, key);
      for (const entry of node.body) addKeyValue(table, entry);
      return table;
    }
    default:
      return shadowOf('scalar', node.range, key);
  }
}

/** The entry with this name; creates it if missing. `key` is another place where the key is written. */
export function child(table: Shadow, name: string, kind: Shadow['kind'], range: Range, key: Range | undefined): Shadow {
  const known = table.entries.get(name);
  if (known) {
    if (key) known.keys.push(key);
    return known;
  }
  const fresh = shadowOf(kind, range, key);
  table.entries.set(name, fresh);
  return fresh;
}

const keyName = (key: AST.TOMLBare | AST.TOMLQuoted): string => (key.type === 'TOMLBare' ? key.name : key.value);

const HEADER = /^[ \t]*\[(\[?)[ \t]*([A-Za-z0-9_-]+(?:[ \t]*\.[ \t]*[A-Za-z0-9_-]+)*)[ \t]*\]/;
const ASSIGNMENT = /^[ \t]*([A-Za-z0-9_-]+(?:[ \t]*\.[ \t]*[A-Za-z0-9_-]+)*)[ \t]*=/;

/** For text that `toml` accepts but the scanner does not: finds bare keys line by line; each range is a whole line. */
export function shadowFromLines(text: string): Shadow {
  const root = shadowOf('table', wholeOf(text));
  let table = root;
  let start = 0;
  for (const line of text.split('\n')) {
    const range: Range = [start, start + line.trimEnd().length];
    const header = HEADER.exec(line);
    const assignment = header ? undefined : ASSIGNMENT.exec(line);
    if (header) table = descend(root, namesOf(header[2]), range, header[1] === '[');
    if (assignment) descend(table, namesOf(assignment[1]), range, false);
    start += line.length + 1;
  }
  return root;
}

const namesOf = (keys: string | undefined): string[] => (keys ?? '').split('.').map((name) => name.trim());

function descend(from: Shadow, names: readonly string[], range: Range, isArray: boolean): Shadow {
  let at = from;
  names.forEach((name, index) => {
    const grows = isArray && index === names.length - 1;
    at = child(at, name, grows ? 'array' : 'table', range, range);
    if (grows) at.items.push(shadowOf('table', range));
    at = at.items.at(-1) ?? at;
  });
  at.head ??= range;
  return at;
}
