/** OpenAPI path templates and parameters -> the paths of gw's routes. */
import type { NormalizePlan } from '../../bundle/types.js';
import { compilePattern, NAMED_TYPES } from '../../schema/regex.js';
import { parsePath } from '../../spec/path-pattern.js';
import { type Data, field, isList, isTable, type OpenApiDocument, textOf } from './document.js';

/** One segment as gw will write it. A typed one with a higher `narrowness` takes fewer texts, as a rule of thumb. */
export type SegmentDraft =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'typed'; readonly name: string; readonly type: string; readonly narrowness: number }
  | { readonly kind: 'param'; readonly name: string }
  | { readonly kind: 'tail'; readonly name: string };

export interface PathDraft {
  readonly segments: readonly SegmentDraft[];
  /** Conditions on query parameters that the path carried (`/?Action=List`). */
  readonly query: readonly (readonly [name: string, value: string])[];
  readonly notes: readonly string[];
}

/** What a parameter's schema allows, as far as a path can tell. */
export interface ParameterType {
  /** A named type of gw (`int`) or a pattern; undefined: any text. */
  readonly type: string | undefined;
  /** The parameter may hold slashes. */
  readonly multi: boolean;
}

/** The rules of a spec that sets none. */
const NORMALIZE: NormalizePlan = {
  encodedSlashes: 'refuse',
  doubleSlashes: 'merge',
  trailingSlash: 'strict',
  dotSegments: 'resolve',
};

/** Characters of a pattern for an enum. Longer ones are not worth their weight in a spec. */
const LONGEST_ENUM = 1000;

/** Types of the path parameters: those of the operation over those of the path. */
export function parameterTypes(document: OpenApiDocument, ...lists: (Data | undefined)[]): Map<string, ParameterType> {
  const types = new Map<string, ParameterType>();
  for (const list of lists) {
    for (const item of isList(list) ? list : []) {
      const parameter = document.resolve(item);
      const name = textOf(field(parameter, 'name'));
      if (name === undefined || field(parameter, 'in') !== 'path') continue;
      const multi = field(parameter, 'x-multi-segment') === true;
      types.set(name, { type: multi ? undefined : typeOf(document, field(parameter, 'schema')), multi });
    }
  }
  return types;
}

function typeOf(document: OpenApiDocument, schemaOrRef: Data | undefined, depth = 0): string | undefined {
  const schema = document.resolve(schemaOrRef);
  if (!isTable(schema) || depth > 8) return undefined;
  const values = field(schema, 'enum');
  if (isList(values)) return enumPattern(values);
  const constant = field(schema, 'const');
  if (constant !== undefined) return enumPattern([constant]);
  const types = field(schema, 'type');
  const type = isList(types) ? types.filter((one) => one !== 'null') : [types];
  if (type.length === 1 && type[0] === 'integer') return Number(field(schema, 'minimum')) < 0 ? '-?[0-9]+' : 'int';
  if (type.length === 1 && type[0] === 'boolean') return 'bool';
  if (type.length === 1 && type[0] === 'string' && field(schema, 'format') === 'uuid') return 'uuid';
  const parts = field(schema, 'allOf');
  if (!isList(parts)) return undefined;
  for (const part of parts) {
    const found = typeOf(document, part, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** An alternation of the values; undefined where a URL would not carry them as they are. */
function enumPattern(values: readonly Data[]): string | undefined {
  const words = [...new Set(values.filter((value) => value !== null).map(String))];
  if (words.length === 0 || !words.every((word) => /^[A-Za-z0-9._~@:!$'()*+,;=-]+$/.test(word))) return undefined;
  // In parentheses, since a bare word would be read as the name of a type.
  const pattern = words.length === 1 ? `(${escapePattern(words[0] ?? '')})` : words.map(escapePattern).join('|');
  return pattern.length <= LONGEST_ENUM ? pattern : undefined;
}

const escapePattern = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');

/** Names of parameters as gw takes them, each once in a path. */
class Names {
  readonly #taken = new Set<string>();
  unique(written: string): string {
    const base = written.replace(/[^A-Za-z0-9_]+/g, '_').replace(/^_+(?=.)|_+$/g, '') || 'param';
    const start = /^[0-9]/.test(base) ? `p${base}` : base;
    let name = start;
    for (let count = 2; this.#taken.has(name); count++) name = `${start}_${count}`;
    this.#taken.add(name);
    return name;
  }
}

/** Undefined for a path that gw cannot hold, with a note that says why. */
export function pathDraft(template: string, types: ReadonlyMap<string, ParameterType>): PathDraft | { note: string } {
  const [withoutFragment = '', fragment] = split(template, '#');
  const [path = '', queryText] = split(withoutFragment, '?');
  if (!path.startsWith('/')) return { note: `\`${template}\` does not start with a slash and is left out.` };
  const notes: string[] = [];
  if (fragment !== undefined) notes.push(`\`${template}\`: no server sees a fragment, so the route ends before it.`);
  const query = queryConditions(queryText);
  const names = new Names();
  const raw = path.slice(1).split('/');
  // gw merges double slashes in requests before it matches.
  const texts = raw.filter((text, index) => text !== '' || index === raw.length - 1);
  const segments: SegmentDraft[] = [];
  for (const [index, text] of texts.entries()) {
    const segment = segmentDraft(text, types, names, index === texts.length - 1);
    if (segment === undefined) return { note: `\`${template}\` has braces that do not pair and is left out.` };
    segments.push(segment.draft);
    if (segment.note !== undefined) notes.push(`\`${template}\`: ${segment.note}`);
  }
  const [problem] = parsePath(pathText(segments), NORMALIZE).problems;
  if (problem) return { note: `\`${template}\` is left out: ${problem.message}` };
  return { segments, query, notes };
}

/** At the first `mark` outside braces. */
function split(text: string, mark: string): [string, string?] {
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    if (text[index] === '{') depth++;
    else if (text[index] === '}') depth--;
    else if (text[index] === mark && depth === 0) return [text.slice(0, index), text.slice(index + 1)];
  }
  return [text];
}

function queryConditions(text: string | undefined): (readonly [string, string])[] {
  const pairs = [...new URLSearchParams(text ?? '')];
  // `?id={id}` tells of a parameter, not of a value to match.
  return pairs.filter(([name, value]) => name !== '' && value !== '' && !/[{}]/.test(`${name}${value}`));
}

function segmentDraft(
  text: string,
  types: ReadonlyMap<string, ParameterType>,
  names: Names,
  last: boolean,
): { draft: SegmentDraft; note?: string } | undefined {
  const foreign = /^:([A-Za-z_]\w*)$/.exec(text)?.[1] ?? (/^\*\*?$/.test(text) ? 'rest' : undefined);
  if (foreign !== undefined) {
    const draft = { kind: last && foreign === 'rest' ? 'tail' : 'param', name: names.unique(foreign) } as const;
    return { draft, note: `\`${text}\` is taken for a parameter, \`${draft.name}\`.` };
  }
  const pieces = text.split(/\{([^{}]*)\}/);
  if (pieces.some((piece, index) => index % 2 === 0 && /[{}]/.test(piece))) return undefined;
  if (pieces.length === 1) return { draft: { kind: 'literal', text: literal(text) } };
  const written = pieces.filter((_, index) => index % 2 === 1);
  const [first = ''] = written;
  if (pieces.length > 3 || pieces[0] !== '' || pieces[2] !== '') return partial(pieces, types, names);

  const bare = first.replace(/^[+/]|[*]$/g, '');
  const known = types.get(first) ?? types.get(bare);
  const name = names.unique(bare);
  if (known?.multi || first !== bare) {
    if (last) return { draft: { kind: 'tail', name } };
    return {
      draft: { kind: 'param', name },
      note: `only the last parameter of a path can hold slashes; \`${bare}\` takes one segment.`,
    };
  }
  const type = known?.type;
  return {
    draft:
      type === undefined
        ? { kind: 'param', name }
        : { kind: 'typed', name, type, narrowness: type in NAMED_TYPES ? 0 : 1000 },
  };
}

/** `{name}.json`, `{lat},{lon}`: one parameter of gw whose pattern is the whole segment. */
function partial(
  pieces: readonly string[],
  types: ReadonlyMap<string, ParameterType>,
  names: Names,
): { draft: SegmentDraft; note: string } {
  const written = pieces.filter((_, index) => index % 2 === 1);
  const name = names.unique(written.join('_'));
  const pattern = pieces
    .map((piece, index) => {
      if (index % 2 === 0) return escapePattern(literal(piece));
      const type = types.get(piece)?.type;
      return type === undefined ? '.+' : `(${NAMED_TYPES[type] ?? type})`;
    })
    .join('');
  const narrowness = pieces.reduce((sum, piece, index) => sum + (index % 2 === 0 ? piece.length : 0), 0);
  const note = `\`${pieces.map((piece, index) => (index % 2 === 0 ? piece : `{${piece}}`)).join('')}\` is one parameter, \`${name}\`, that holds the whole segment.`;
  if ('error' in compilePattern(pattern)) return { draft: { kind: 'param', name }, note };
  return { draft: { kind: 'typed', name, type: pattern, narrowness }, note };
}

/** A literal as it stands in a normalised request path. */
function literal(text: string): string {
  // Through UTF-8, where half a surrogate pair becomes U+FFFD: encodeURIComponent would throw.
  const whole = Buffer.from(text, 'utf8').toString('utf8');
  return whole.replace(/%[0-9A-Fa-f]{2}|[^A-Za-z0-9._~!$&'()*+,;=:@-]/gu, (char) =>
    char.length === 3 && char.startsWith('%') ? char.toUpperCase() : encodeURIComponent(char),
  );
}

/** The path as a spec writes it. */
export const pathText = (segments: readonly SegmentDraft[]): string => `/${segments.map(segmentText).join('/')}`;

function segmentText(segment: SegmentDraft): string {
  switch (segment.kind) {
    case 'literal':
      return segment.text;
    case 'typed':
      return `{${segment.name}:${segment.type}}`;
    case 'param':
      return `{${segment.name}}`;
    case 'tail':
      return `{${segment.name}...}`;
  }
}
