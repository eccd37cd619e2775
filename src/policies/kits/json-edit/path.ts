/**
 * Paths to members of JSON: `user.address.city`, `items[*].price`, `items[0]`, `[*].id`, `"odd name".x`.
 *
 * A name is a word of letters, digits, `_`, `-` and `$`, or any text in double quotes as in JSON. `[3]` is an item, `[-1]`
 * the last one, `[*]` all of them, `.*` all members of an object.
 */

/** A name, the number of an item (negative from the end), or all members or items. */
export type PathStep = string | number | typeof ALL_ITEMS | typeof ALL_MEMBERS;

export const ALL_ITEMS = Symbol('[*]');
export const ALL_MEMBERS = Symbol('*');

export interface PathError {
  /** What is wrong: a sentence. */
  readonly error: string;
  /** Offsets in the path, in UTF-16 units; `end` is behind the last character. */
  readonly start: number;
  readonly end: number;
}

/** Nesting of paths; more than any value has. */
const MAX_STEPS = 64;

const TOKEN = /(\.)?(?:([\p{L}\p{N}_$-]+)|("(?:[^"\\]|\\.)*")|(\*)|\[(-?\d{1,9}|\*)\])/uy;

/** The steps of a path; at least one. */
export function parsePath(text: string): readonly PathStep[] | PathError {
  if (text === '') return { error: 'The path is empty.', start: 0, end: 0 };
  const steps: PathStep[] = [];
  TOKEN.lastIndex = 0;
  for (let at = 0; at < text.length; ) {
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(text);
    const [token = '', dot, name, quoted, star, item] = found ?? [];
    // A dot stands before each name except the first, and never before a bracket.
    if (found === null || (dot !== undefined) !== (item === undefined && at > 0))
      return { error: `The path is not valid: ${PATH_SYNTAX}.`, start: at, end: text.length };
    if (quoted !== undefined) {
      const name = nameOf(quoted);
      if (name === undefined)
        return { error: 'The name in quotes is no string of JSON.', start: at, end: at + token.length };
      steps.push(name);
    } else steps.push(name ?? (star !== undefined ? ALL_MEMBERS : item === '*' ? ALL_ITEMS : Number(item)));
    at += token.length;
  }
  if (steps.length > MAX_STEPS)
    return { error: `The path has more than ${MAX_STEPS} steps.`, start: 0, end: text.length };
  return steps;
}

/** For messages and docs. */
export const PATH_SYNTAX =
  'write names with dots between them and items in brackets, as `items[*].price` or `items[0]`';

function nameOf(quoted: string): string | undefined {
  try {
    return JSON.parse(quoted) as string;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export const isPathError = (parsed: readonly PathStep[] | PathError): parsed is PathError => 'error' in parsed;
