/** Paths with parameters: of OpenAPI documents (`/at/{lat},{lon}`) and of routes (`/at/{place:[0-9,]+}`). */

/** `{lat},{lon}.json` has the literals '', ',' and '.json', and the names between them. */
export interface PathSegment {
  readonly literals: readonly string[];
  readonly names: readonly string[];
}

/** The segments of a path that begins with a slash. Patterns of parameters may have slashes and braces. */
export function segmentsOf(path: string): PathSegment[] {
  const segments: PathSegment[] = [];
  let literals: string[] = [];
  let names: string[] = [];
  let from = 1;
  const end = (at: number): void => {
    segments.push({ literals: [...literals, path.slice(from, at)], names });
    literals = [];
    names = [];
  };
  for (let at = 1; at < path.length; at++) {
    if (path[at] === '/') {
      end(at);
      from = at + 1;
    } else if (path[at] === '{') {
      const close = closing(path, at);
      if (close < 0) continue;
      literals.push(path.slice(from, at));
      names.push(nameIn(path.slice(at + 1, close)));
      from = close + 1;
      at = close;
    }
  }
  end(path.length);
  return segments;
}

/** The brace that closes the one at `open`, outside of character classes; -1 for none. */
function closing(path: string, open: number): number {
  let depth = 0;
  let inClass = false;
  for (let at = open; at < path.length; at++) {
    const char = path[at];
    if (char === '\\') at++;
    else if (inClass) inClass = char !== ']';
    else if (char === '[') inClass = true;
    else if (char === '{') depth++;
    else if (char === '}' && --depth === 0) return at;
  }
  return -1;
}

/** `id` of `id:int`, `id...`, and of the forms of RFC 6570 that tools write: `+id`, `id*`. */
const nameIn = (text: string): string => text.replace(/^[+.;]/, '').replace(/(\.\.\.|[*+]|:.*)$/s, '');

/** The path with `{}` for each parameter. */
export const shapeOf = (path: string): string =>
  segmentsOf(path)
    .map(({ literals }) => literals.join('{}'))
    .join('/');

/** The same with `{}` for each segment that has parameters. */
export const looseShapeOf = (path: string): string =>
  segmentsOf(path)
    .map(({ literals, names }) => (names.length > 0 ? '{}' : literals.join('')))
    .join('/');
