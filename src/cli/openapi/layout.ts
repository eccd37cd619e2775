/** Drafts of an import -> the text of a spec, in one file, or in one for each tag where there are many routes. */
import type { RouteDraft } from './draft.js';
import { FileNames } from './names.js';
import type { Note, NoteKind } from './notes.js';
import { pathText } from './paths.js';
import type { PolicyDraft } from './security.js';
import type { ServiceDraft } from './servers.js';

/** Characters of one comment. */
const LONGEST_COMMENT = 2000;

/** With more routes than this each tag has a file. */
export const MOST_IN_ONE_FILE = 100;
/** Bounds the size of a file: a spec file may have 10 MiB. */
const MOST_IN_A_TAG = 5000;
/** Files of tags; the routes of further tags share one. */
const MOST_FILES = 500;

/** Further servers that a comment names. */
const MOST_SERVERS = 4;

export interface SpecDraft {
  /** Lines of the first comment. */
  readonly head: readonly string[];
  readonly notes: readonly Note[];
  readonly address: string;
  readonly services: readonly ServiceDraft[];
  readonly policies: readonly PolicyDraft[];
  readonly routes: readonly RouteDraft[];
  /** SHA-256 of the first consumer's key, in hex; asked for where there are policies. */
  readonly keyHash: string;
  /** Warnings that are meant. */
  readonly allowed: readonly { readonly code: string; readonly at: string; readonly reason: string }[];
}

export interface SpecFile {
  /** Relative to the spec. */
  readonly path: string;
  readonly content: string;
}

/** The whole spec as one text. */
export function oneFile(draft: SpecDraft): string {
  const routes = draft.routes.flatMap((route) => routeLines(route, draft));
  return [...rootLines(draft, []), ...routes, ...allowLines(draft.allowed), ''].join('\n');
}

/** The root file's text, and the files that it includes. */
export function severalFiles(draft: SpecDraft): { readonly root: string; readonly parts: readonly SpecFile[] } {
  const parts = filesByTag(draft.routes).map(({ path, tag, routes }) => {
    const title = tag === undefined ? 'Operations without a tag.' : `Operations with the tag ${tag}.`;
    const lines = ['#:schema ../gateway.fragment.schema.json', ...comment(title)];
    return { path, content: [...lines, ...routes.flatMap((route) => routeLines(route, draft)), ''].join('\n') };
  });
  const includes = parts.map(({ path }) => path);
  return { root: [...rootLines(draft, includes), ...allowLines(draft.allowed), ''].join('\n'), parts };
}

interface TagFile {
  readonly path: string;
  readonly tag: string | undefined;
  readonly routes: RouteDraft[];
}

/** In the order in which the tags first come; an operation is in the file of its first tag. */
function filesByTag(routes: readonly RouteDraft[]): TagFile[] {
  const names = new FileNames();
  const files: TagFile[] = [];
  const current = new Map<string | undefined, TagFile>();
  for (const route of routes) {
    const tag = current.has(route.tag) || current.size < MOST_FILES ? route.tag : undefined;
    let file = current.get(tag);
    if (file === undefined || file.routes.length >= MOST_IN_A_TAG) {
      file = { path: `routes/${names.unique(tag ?? 'untagged')}.toml`, tag, routes: [] };
      current.set(tag, file);
      files.push(file);
    }
    file.routes.push(route);
  }
  return files;
}

/** Notes of these kinds are written above their route. */
const AT_ROUTES: ReadonlySet<NoteKind> = new Set([
  'unchecked',
  'partly',
  'alternatives',
  'optional',
  'open',
  'stricter',
  'segment',
  'parameter',
  'fragment',
  'service',
]);

function rootLines(draft: SpecDraft, includes: readonly string[]): string[] {
  const notes = draft.notes.filter(({ kind }) => !AT_ROUTES.has(kind));
  return [
    '#:schema ./gateway.schema.json',
    ...draft.head.flatMap(comment),
    ...notes.flatMap(({ text }) => comment(`- ${text}`)),
    'spec = 1',
    ...(includes.length === 0 ? [] : ['include = [', ...includes.map((path) => `  ${quoted(path)},`), ']']),
    '',
    '[listener.main]',
    `address = ${quoted(draft.address)}`,
    ...slashLines(draft.routes),
    ...draft.services.flatMap(serviceLines),
    ...(draft.policies.length === 0 ? [] : consumerLines(draft.keyHash)),
    ...draft.policies.flatMap(policyLines),
  ];
}

/** Only where a parameter takes any text can its value hold a slash. */
function slashLines(routes: readonly RouteDraft[]): string[] {
  if (!routes.some(({ segments }) => segments.some(({ kind }) => kind === 'param' || kind === 'tail'))) return [];
  return [
    '',
    '# A path with an encoded slash (%2F) gets 400. Where values of parameters may hold a slash:',
    '# [normalize]',
    '# encoded_slashes = "keep"',
  ];
}

function serviceLines(service: ServiceDraft): string[] {
  const { others: all } = service;
  const more = all.length > MOST_SERVERS ? ` and ${all.length - MOST_SERVERS} more` : '';
  const others =
    all.length === 0 ? [] : comment(`The document also names ${all.slice(0, MOST_SERVERS).join(' , ')}${more}`);
  return [
    '',
    ...service.notes.flatMap(comment),
    ...others,
    `[service.${service.name}]`,
    `targets = [${quoted(service.target)}]`,
    // A host of the internet answers to its own name, not to the gateway's.
    ...(service.named ? ['host = "target"'] : []),
  ];
}

function consumerLines(keyHash: string): string[] {
  return [
    '',
    '# `gw init` printed the key of this consumer once; the spec contains its hash. Add a consumer for each caller:',
    '# `printf %s KEY | sha256sum` gives the hash of a key.',
    '[consumer.first]',
    `api_keys = [${quoted(`sha256:${keyHash}`)}]`,
  ];
}

function policyLines(policy: PolicyDraft): string[] {
  return [
    '',
    ...policy.comments.flatMap(comment),
    `[policy.${policy.name}]`,
    'use = "api-key"',
    ...(policy.header === undefined ? [] : [`header = ${quoted(policy.header)}`]),
    ...(policy.query === undefined ? [] : [`query = ${quoted(policy.query)}`]),
    ...(policy.optional ? ['optional = true'] : []),
  ];
}

function allowLines(allowed: SpecDraft['allowed']): string[] {
  if (allowed.length === 0) return [];
  const entries = allowed.map(
    ({ code, at, reason }) => `  { code = ${quoted(code)}, at = ${quoted(at)}, reason = ${quoted(reason)} },`,
  );
  return ['', '[lint]', 'allow = [', ...entries, ']'];
}

function routeLines(route: RouteDraft, { policies: all }: SpecDraft): string[] {
  const { guard, conditions } = route;
  const path = pathText(route.segments);
  const on = (place: 'header' | 'query') =>
    conditions.filter((each) => each.on === place).map(({ name, value }) => [name, value] as const);
  const [headers, query] = [on('header'), on('query')];
  const table = [
    `path = ${quoted(path)}`,
    ...(route.method === undefined ? [] : [`methods = [${quoted(route.method)}]`]),
    ...(headers.length === 0 ? [] : [`headers = ${inlineTable(headers)}`]),
    ...(query.length === 0 ? [] : [`query = ${inlineTable(query)}`]),
  ];
  const text = route.method === undefined ? path : `${route.method} ${path}`;
  // If no route requires credentials, one comment at the top of the file is enough.
  const isSaid = guard.open === undefined || all.length === 0 || guard.note?.kind === 'optional';
  const open = isSaid ? [] : [`Open: ${guard.open}.`];
  return [
    '',
    ...[...open, ...route.comments].flatMap(comment),
    '[[route]]',
    `name = ${quoted(route.name)}`,
    `match = ${conditions.length === 0 ? quoted(text) : `{ ${table.join(', ')} }`}`,
    `to = ${quoted(route.service.name)}`,
    ...(guard.policies.length === 0
      ? []
      : [`policies = [${guard.policies.map(({ name }) => quoted(name)).join(', ')}]`]),
  ];
}

/** Control characters have no place in a TOML comment. */
function comment(text: string): string[] {
  const lines = text.slice(0, LONGEST_COMMENT).split(/\r\n|[\n\r]/);
  return lines.map((line) => `# ${line.replace(/[\u0000-\u001f\u007f]/g, ' ')}`.trimEnd());
}

/** A basic string. */
function quoted(text: string): string {
  const whole = Buffer.from(text, 'utf8').toString('utf8');
  // JSON's escapes are TOML's, but for DEL, which JSON leaves as it is.
  return JSON.stringify(whole).replaceAll('\u007f', '\\u007F');
}

/** An inline table of conditions. */
function inlineTable(entries: readonly (readonly [key: string, value: string | boolean])[]): string {
  return `{ ${entries.map(([key, value]) => `${quoted(key)} = ${typeof value === 'string' ? quoted(value) : value}`).join(', ')} }`;
}
