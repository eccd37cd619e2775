/**
 * Edits the credentials of a consumer in a TOML text. Only lines of these credentials change; comments and everything else stay.
 * What the edited text says is compared with what it is meant to say, so that no form of TOML can lead to a wrong edit.
 */
import type { ArrayNode, TableNode, TomlNode } from '../../schema/tree.js';
import { Source } from '../source.js';
import { cutText } from '../toml/cut.js';
import { parseToml, tomlValue } from '../toml/toml.js';
import {
  type CredentialChange,
  EditRefused,
  instantText,
  type NewConsumer,
  type NewCredential,
  type Which,
} from './change.js';

/** The text with the changes. @throws EditRefused */
export function editToml(text: string, consumer: string, changes: readonly CredentialChange[]): string {
  const { start, end } = consumerPart(text, consumer);
  let part = text.slice(start, end);
  for (const change of changes) part = applied(part, consumer, change);
  const rest = text.slice(end);
  // A new last line needs a blank one before the next header.
  if (/^\S/.test(rest) && lastLine(part) !== lastLine(text.slice(start, end))) part += '\n';
  if (text.includes('\r\n')) part = part.replace(/\r?\n/g, '\r\n');
  return text.slice(0, start) + part + rest;
}

const lastLine = (text: string): string => text.slice(text.lastIndexOf('\n', text.length - 2) + 1);

/** The text with one more consumer at the end. */
export function addToToml(text: string, { name, plan, groups }: NewConsumer, credential: NewCredential): string {
  const lines = [`[consumer.${keyText(name)}]`];
  if (plan !== undefined) lines.push(`plan = ${JSON.stringify(plan)}`);
  if (groups !== undefined && groups.length > 0) lines.push(`groups = ${listText(groups)}`);
  const written = `${lines.join('\n')}\n\n${blockOf(name, credential)}`;
  return text === '' ? written : `${text.replace(/\n*$/, '\n')}\n${written}`;
}

/** The part of the text that can be read on its own and has the consumer: of a large file, only its section. */
export function consumerPart(text: string, consumer: string): { start: number; end: number } {
  const pieces = cutText(text, new Set()).filter(({ kind, name }) => kind === 'consumer' && name === consumer);
  const [piece] = pieces;
  if (pieces.length === 1 && piece && consumerIn(treeOf(text.slice(piece.start, piece.end)), consumer)) return piece;
  return { start: 0, end: text.length };
}

function treeOf(text: string): TableNode | undefined {
  return parseToml(new Source('', '', text), 'spec').value;
}

const consumerIn = (tree: TableNode | undefined, name: string): TableNode | undefined =>
  tableAt(tableAt(tree, 'consumer'), name);

const tableAt = (node: TomlNode | undefined, key: string): TableNode | undefined => {
  const value = node?.kind === 'table' ? node.entries.get(key)?.value : undefined;
  return value?.kind === 'table' ? value : undefined;
};

const listAt = (node: TableNode, key: string): ArrayNode | undefined => {
  const value = node.entries.get(key)?.value;
  return value?.kind === 'array' ? value : undefined;
};

function applied(text: string, consumer: string, change: CredentialChange): string {
  const table = consumerIn(treeOf(text), consumer);
  if (!table) throw new EditRefused(`The file no longer declares consumer ${consumer}, or has a syntax error.`);
  const edited =
    change.do === 'add'
      ? withCredential(text, table, consumer, change.credential)
      : change.do === 'remove'
        ? without(text, table, change.which)
        : withValues(text, table, change);
  if (edited !== undefined && canonical(readValue(edited)) === canonical(meant(text, consumer, change))) return edited;
  throw new EditRefused(
    `Consumer ${consumer} is written in a form that gw does not edit. Write it as [consumer.${keyText(consumer)}] with [[consumer.${keyText(consumer)}.credentials]], or edit the file yourself.`,
  );
}

// What the text is meant to say.

type Table = { readonly [key: string]: unknown };

/** Equal texts for equal values: `toml` decides the order of keys, and gives integers as bigint. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item === 'bigint' || typeof item === 'number') return String(item);
    if (typeof item !== 'object' || item === null || Array.isArray(item)) return item;
    return Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)));
  }) ?? '';

function readValue(text: string): unknown {
  try {
    return tomlValue(text);
  } catch {
    return undefined;
  }
}

function meant(text: string, consumer: string, change: CredentialChange): Table {
  const whole = tomlValue(text) as { readonly consumer: { readonly [name: string]: Table } };
  const table = { ...whole.consumer[consumer] };
  const listed = (key: string): unknown[] => [...((table[key] ?? []) as unknown[])];
  if (change.do === 'add') table['credentials'] = [...listed('credentials'), tomlValue(linesOf(change.credential))];
  else {
    const { list, index } = change.which;
    const items = listed(list);
    if (change.do === 'remove') items.splice(index, 1);
    else items[index] = { ...(items[index] as Table), ...(tomlValue(valueLines(change)) as Table) };
    if (items.length === 0 && list === 'credentials' && isBlocks(text, consumer)) delete table[list];
    else table[list] = items;
  }
  return { ...whole, consumer: { ...whole.consumer, [consumer]: table } };
}

/** The credentials are written as `[[consumer.NAME.credentials]]`. */
function isBlocks(text: string, consumer: string): boolean {
  const table = consumerIn(treeOf(text), consumer);
  const [first] = (table && listAt(table, 'credentials')?.items) ?? [];
  return first?.kind === 'table' && first.headSpan !== undefined;
}

// Texts.

const keyText = (name: string): string => (/^[A-Za-z0-9_-]+$/.test(name) ? name : JSON.stringify(name));
const listText = (items: readonly string[]): string => `[${items.map((item) => JSON.stringify(item)).join(', ')}]`;

function pairsOf({ name, key, expires, addresses }: NewCredential): string[] {
  return [
    `name = ${JSON.stringify(name)}`,
    `key = ${JSON.stringify(key)}`,
    ...(expires === undefined ? [] : [`expires = ${instantText(expires)}`]),
    ...(addresses === undefined || addresses.length === 0 ? [] : [`addresses = ${listText(addresses)}`]),
  ];
}

const linesOf = (credential: NewCredential): string => `${pairsOf(credential).join('\n')}\n`;

const valueLines = ({ name, expires }: { readonly name?: string; readonly expires?: number }): string =>
  [
    ...(name === undefined ? [] : [`name = ${JSON.stringify(name)}`]),
    ...(expires === undefined ? [] : [`expires = ${instantText(expires)}`]),
  ].join('\n');

function blockOf(consumer: string, credential: NewCredential): string {
  const comment = credential.created === undefined ? '' : ` # created ${credential.created}`;
  return `[[consumer.${keyText(consumer)}.credentials]]${comment}\n${linesOf(credential)}`;
}

// Edits.

/** Offset after the line that contains `at`, with its line end. */
function afterLine(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end + 1;
}

function withCredential(text: string, table: TableNode, consumer: string, credential: NewCredential): string {
  const list = listAt(table, 'credentials');
  const last = list?.items.at(-1);
  const inline = `{ ${pairsOf(credential).join(', ')} }`;
  if (list && (last === undefined || (last.kind === 'table' && last.headSpan === undefined))) {
    const at = last === undefined ? list.span.start.offset + 1 : last.span.end.offset;
    return `${text.slice(0, at)}${last === undefined ? '' : ', '}${inline}${text.slice(at)}`;
  }
  const end = last?.span.end ?? (table.headSpan ? table.span.end : undefined);
  const at = end === undefined ? text.length : afterLine(text, end.offset);
  const before = text.slice(0, at);
  const after = text.slice(at);
  const gap = before.endsWith('\n') ? '\n' : '\n\n';
  return `${before}${gap}${blockOf(consumer, credential)}${/^\S/.test(after) ? '\n' : ''}${after}`;
}

function without(text: string, table: TableNode, { list, index }: Which): string | undefined {
  const array = listAt(table, list);
  const item = array?.items[index];
  if (!array || !item) return undefined;
  if (item.kind === 'table' && item.headSpan) return withoutBlock(text, item);
  const [before, after] = [array.items[index - 1], array.items[index + 1]];
  if (after) return text.slice(0, item.span.start.offset) + text.slice(after.span.start.offset);
  const comma = commaAfter(text, item.span.end.offset);
  if (comma !== undefined) return withoutLine(text, item.span.start.offset, comma);
  // The last one: with the comma before it.
  const start = before ? before.span.end.offset : item.span.start.offset;
  return text.slice(0, start) + text.slice(item.span.end.offset);
}

/** The end of a comma at the end of a list, behind an item; undefined if there is none. */
function commaAfter(text: string, end: number): number | undefined {
  const found = /^(?:\s|#.*)*,/.exec(text.slice(end));
  return found === null ? undefined : end + found[0].length;
}

/** Without a range, and without its line and the comment on it, if nothing else is there. */
function withoutLine(text: string, start: number, end: number): string {
  const first = text.lastIndexOf('\n', start - 1) + 1;
  const rest = /^[ \t]*(?:#.*)?\n/.exec(text.slice(end));
  if (first === 0 || rest === null || text.slice(first, start).trim() !== '')
    return text.slice(0, start) + text.slice(end);
  return text.slice(0, first) + text.slice(end + rest[0].length);
}

/** The block with the comment directly above it, and one of the blank lines around it. */
function withoutBlock(text: string, item: TableNode): string {
  let start = text.lastIndexOf('\n', item.headSpan!.start.offset - 1) + 1;
  for (;;) {
    const above = text.lastIndexOf('\n', start - 2) + 1;
    if (start === 0 || !/^[ \t]*#/.test(text.slice(above, start))) break;
    start = above;
  }
  let end = afterLine(text, item.span.end.offset);
  if (/^\r?\n/.test(text.slice(end))) end = afterLine(text, end);
  const rest = text.slice(end);
  return `${rest.trim() === '' ? text.slice(0, start).replace(/(\r?\n)+$/, '\n') : text.slice(0, start)}${rest}`;
}

function withValues(
  text: string,
  table: TableNode,
  { which, name, expires }: Extract<CredentialChange, { do: 'set' }>,
): string | undefined {
  const item = listAt(table, which.list)?.items[which.index];
  if (item?.kind !== 'table') return undefined;
  const values: (readonly [key: string, written: string])[] = [];
  if (name !== undefined) values.push(['name', JSON.stringify(name)]);
  if (expires !== undefined) values.push(['expires', instantText(expires)]);
  const edits = values.map(([key, written]) => {
    const known = item.entries.get(key)?.value.span;
    if (known) return { start: known.start.offset, end: known.end.offset, written };
    // After another value: on a line of its own, or within the braces.
    const last = [...item.entries.values()].reduce((most, { value }) => Math.max(most, value.span.end.offset), 0);
    if (item.headSpan === undefined) return { start: last, end: last, written: `, ${key} = ${written}` };
    const at = afterLine(text, last);
    const open = text[at - 1] === '\n' ? '' : '\n';
    return { start: at, end: at, written: `${open}${key} = ${written}\n` };
  });
  let edited = text;
  for (const { start, end, written } of edits.sort((a, b) => b.start - a.start)) {
    edited = edited.slice(0, start) + written + edited.slice(end);
  }
  return edited;
}
