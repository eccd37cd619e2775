/** OpenAPI path templates and parameters -> the paths of gw's routes. */
import type { NormalizeEntry } from '../../bundle/types.js';
import { compilePattern, NAMED_TYPES } from '../../schema/regex/regex.js';
import { parsePath } from '../../spec/route/path-pattern.js';
import { type ConditionDraft, fragmentConditions, queryConditions } from './conditions.js';
import type { NoteKind } from './notes.js';
import { escapePattern, LABEL, matrixPattern, type Parameters } from './parameters.js';
import { type Expression, type Piece, parseTemplate } from './template.js';

/** One segment as gw will write it. A typed one with a higher `narrowness` takes fewer texts, as a rule of thumb. */
export type SegmentDraft =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'typed'; readonly name: string; readonly type: string; readonly narrowness: number }
  | { readonly kind: 'param'; readonly name: string }
  | { readonly kind: 'tail'; readonly name: string };

export interface PathNote {
  readonly kind: NoteKind;
  /** Follows the template. */
  readonly text: string;
}

export interface PathDraft {
  readonly segments: readonly SegmentDraft[];
  readonly conditions: readonly ConditionDraft[];
  readonly notes: readonly PathNote[];
}

/** The rules of a spec that sets none. */
const NORMALIZE: NormalizeEntry = {
  encodedSlashes: 'refuse',
  doubleSlashes: 'merge',
  trailingSlash: 'strict',
  dotSegments: 'resolve',
};

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

/** A string is the reason why gw cannot match the path. */
export function pathDraft(written: string, parameters: Parameters): PathDraft | string {
  if (!written.startsWith('/')) return 'does not start with a slash and is left out.';
  const template = parseTemplate(written);
  if (template === undefined) return 'has braces that do not pair and is left out.';
  const notes: PathNote[] = [];
  const names = new Names();
  const segments: SegmentDraft[] = [];
  for (const [index, pieces] of template.segments.entries()) {
    const last = index === template.segments.length - 1;
    segments.push(segmentDraft(pieces, parameters, names, last, (kind, text) => notes.push({ kind, text })));
  }
  const { conditions, unknown } = fragmentConditions(template.fragment, parameters);
  if (unknown.length > 0) {
    const list = unknown.map((part) => `\`${part}\``).join(', ');
    notes.push({ kind: 'fragment', text: `no server sees a fragment, so ${list} decides nothing.` });
  }
  const [problem] = parsePath(pathText(segments), NORMALIZE).problems;
  if (problem) return `is left out: ${problem.message}`;
  return { segments, conditions: [...queryConditions(template.query), ...conditions], notes };
}

type Report = (kind: NoteKind, text: string) => void;

function segmentDraft(
  pieces: readonly Piece[],
  parameters: Parameters,
  names: Names,
  last: boolean,
  report: Report,
): SegmentDraft {
  const [first] = pieces;
  if (first === undefined) return { kind: 'literal', text: '' };
  if (pieces.length > 1) return partial(pieces, parameters, names, last, report);
  if ('literal' in first) return { kind: 'literal', text: literal(first.literal) };
  const { type, multi } = describe(first, parameters);
  const name = names.unique(first.name);
  if (/^[:*]/.test(first.written)) report('parameter', `\`${first.written}\` is taken for a parameter, \`${name}\`.`);
  if (first.optional) {
    report(
      'parameter',
      `\`{${first.written}}\` may be missing by the look of it; the route matches only where it is there.`,
    );
  }
  if (multi && last) return { kind: 'tail', name };
  if (multi) {
    report('parameter', `only the last parameter of a path can hold slashes; \`${name}\` takes one segment.`);
    return { kind: 'param', name };
  }
  if (type === undefined) return { kind: 'param', name };
  return { kind: 'typed', name, type, narrowness: type in NAMED_TYPES ? 0 : 1000 };
}

/** The parameter in the document: by its name as written, or without its operators. */
function describe(
  { written, name, form, multi }: Expression,
  parameters: Parameters,
): { readonly type: string | undefined; readonly multi: boolean } {
  const known = parameters.path.get(written) ?? parameters.path.get(name);
  if (multi || known?.multi) return { type: undefined, multi: true };
  if (form === 'label') return { type: LABEL, multi: false };
  if (form === 'matrix') {
    const several = /[,*]/.test(written);
    return { type: matrixPattern(several ? undefined : name), multi: false };
  }
  return { type: known?.type, multi: false };
}

/** `{name}.json`, `{lat},{lon}`: one parameter of gw whose pattern is the whole segment. */
function partial(
  pieces: readonly Piece[],
  parameters: Parameters,
  names: Names,
  last: boolean,
  report: Report,
): SegmentDraft {
  const expressions = pieces.filter((piece) => 'name' in piece);
  const name = names.unique(expressions.map((piece) => piece.name).join('_'));
  const shown = pieces.map((piece) => ('literal' in piece ? piece.literal : `{${piece.written}}`)).join('');
  report('segment', `\`${shown}\` is one parameter, \`${name}\`, for the whole segment.`);
  const described = expressions.map((piece) => describe(piece, parameters));
  const multi = described.some((each) => each.multi);
  if (multi && last) return { kind: 'tail', name };
  if (multi) report('parameter', `only the last parameter of a path can hold slashes; \`${name}\` takes one segment.`);
  const pattern = pieces
    .map((piece) => {
      if ('literal' in piece) return escapePattern(decodedLiteral(piece.literal));
      const { type } = describe(piece, parameters);
      return type === undefined ? '.+' : `(${NAMED_TYPES[type] ?? type})`;
    })
    .join('');
  const narrowness = pieces.reduce((sum, piece) => sum + ('literal' in piece ? piece.literal.length : 0), 0);
  // A pattern that is too large: any text is wider.
  if ('error' in compilePattern(pattern)) return { kind: 'param', name };
  return { kind: 'typed', name, type: pattern, narrowness };
}

/** A literal in the form of a normalised request path. */
function literal(text: string): string {
  // Through UTF-8, where half a surrogate pair becomes U+FFFD: encodeURIComponent would throw.
  const whole = Buffer.from(text, 'utf8').toString('utf8');
  return whole.replace(/%[0-9A-Fa-f]{2}|[^A-Za-z0-9._~!$&'()*+,;=:@-]/gu, (char) =>
    char.length === 3 && char.startsWith('%') ? char.toUpperCase() : encodeURIComponent(char),
  );
}

/** Patterns see a segment decoded. */
function decodedLiteral(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A stray percent sign: the text is literal.
    return text;
  }
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
