/** Path templates as documents write them: OpenAPI's, and the forms of RFC 6570 and of other gateways. */

/** One expression in braces. */
export interface Expression {
  /** As written, without the braces. */
  readonly written: string;
  /** Without operators and modifiers. */
  readonly name: string;
  readonly form: 'plain' | 'label' | 'matrix';
  /** May hold slashes: `{+path}`, `{proxy+}`, `{path*}`, `{*path}`. */
  readonly multi: boolean;
  /** `{id?}`: the segment may be missing. */
  readonly optional: boolean;
}

export type Piece = { readonly literal: string } | Expression;

export interface Template {
  /** A list for each segment. */
  readonly segments: readonly (readonly Piece[])[];
  /** Behind `?`. */
  readonly query: string | undefined;
  /** Behind `#`. */
  readonly fragment: string | undefined;
}

/** Undefined when braces do not pair. */
export function parseTemplate(written: string): Template | undefined {
  const [withoutFragment = '', fragment] = splitOnce(plainForm(written), '#');
  const [path = '', query] = splitOnce(withoutFragment, '?');
  const texts = splitSegments(path.slice(1));
  const segments: (readonly Piece[])[] = [];
  for (const [index, text] of texts.entries()) {
    // gw merges double slashes in requests before it matches.
    if (text === '' && index < texts.length - 1) continue;
    const pieces = parseSegment(text);
    if (pieces === undefined) return undefined;
    segments.push(pieces);
  }
  return { segments, query, fragment };
}

/** Operators that add something other than a segment to a path, and those that add segments, written without. */
function plainForm(text: string): string {
  return (
    text
      // `{?page,limit}`, `{&page}`, `{#part}`: query parameters and a fragment, which no path holds.
      .replace(/\{[?&#][^{}]*\}/g, '')
      // `{/name}`: a slash and a parameter.
      .replace(/\/?\{\/([^{}]*)\}/g, '/{$1}')
      // `{name=projects/*/zones/**}`: segments of their own, with the names of the whole.
      .replace(/\{([^{}=]+)=([^{}]*)\}/g, (_, name: string, pattern: string) =>
        pattern
          .split('/')
          .map((step) => (step === '*' ? `{${name}}` : step === '**' ? `{${name}*}` : step))
          .join('/'),
      )
  );
}

/** At the first `mark` outside braces. */
function splitOnce(text: string, mark: string): [string, string?] {
  const at = outsideBraces(text, mark, 0);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function splitSegments(text: string): string[] {
  const segments: string[] = [];
  let start = 0;
  for (let at = outsideBraces(text, '/', 0); at >= 0; at = outsideBraces(text, '/', start)) {
    segments.push(text.slice(start, at));
    start = at + 1;
  }
  return [...segments, text.slice(start)];
}

function outsideBraces(text: string, mark: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    if (text[at] === '{') depth++;
    else if (text[at] === '}') depth--;
    else if (text[at] === mark && depth <= 0) return at;
  }
  return -1;
}

function parseSegment(text: string): Piece[] | undefined {
  const foreign = /^:([A-Za-z_]\w*)$/.exec(text)?.[1];
  if (foreign !== undefined) return [{ ...PLAIN, written: text, name: foreign }];
  if (/^\*\*?$/.test(text)) return [{ ...PLAIN, written: text, name: 'rest', multi: true }];
  const parts = text.split(/\{([^{}]*)\}/);
  const pieces: Piece[] = [];
  for (const [index, part] of parts.entries()) {
    if (index % 2 === 1) pieces.push(expression(part));
    else if (/[{}]/.test(part)) return undefined;
    else if (part !== '' || parts.length === 1) pieces.push({ literal: part });
  }
  return pieces;
}

const PLAIN = { form: 'plain', multi: false, optional: false } as const;

function expression(written: string): Expression {
  const form = written.startsWith(';') ? 'matrix' : written.startsWith('.') ? 'label' : 'plain';
  const multi = /^[+*]|[+*]$/.test(written);
  const optional = written.endsWith('?');
  // `{id:int}`, `{id:3}`: what other routers and RFC 6570 write behind a name.
  const name = written.replace(/^[;.+*]+/, '').replace(/(:.*)?[+*?]?$/, '');
  return { written, name, form, multi: multi && form === 'plain', optional };
}
