/** Finds secrets in a line of source by their keys and forms: the line may be shown because of something else on it. */
import { secretIn } from '../secrets.js';

/** A key and what follows its sign, in TOML or JSON. */
const KEY = /(?:^|[\s{,])(["']?)([\w.-]+)\1[ \t]*[=:][ \t]*(\[?)[ \t]*(?=["'])/g;
/** A string, closed or not, and what follows it in a list. */
const STRING = /(?:"((?:[^"\\]|\\.)*)(?:"|\\?$)|'([^']*)(?:'|$))(?:[ \t]*,[ \t]*(?=["']))?/y;

const HASH = /^sha256:[0-9a-f]{64}$/;
/** Where a hash is expected, a key in plain text is a likely mistake. */
const HASHED = /(?:^|\.)(?:key|api_keys)$/;

const isSecret = (key: string, text: string): boolean =>
  secretIn([key.split('.').at(-1)!], text) !== undefined ||
  (HASHED.test(key) && /^(?:sha256:|gw_)/.test(text) && !HASH.test(text));

/** Ranges of a line that hold secrets. */
export function secretRanges(line: string): readonly (readonly [start: number, end: number])[] {
  const found: (readonly [number, number])[] = [];
  for (const { 0: whole, 2: key = '', 3: list, index } of line.matchAll(KEY)) {
    STRING.lastIndex = index + whole.length;
    for (;;) {
      const at = STRING.lastIndex;
      const value = STRING.exec(line);
      if (value === null) break;
      const text = value[1] ?? value[2] ?? '';
      if (isSecret(key, text)) found.push([at + 1, at + 1 + text.length]);
      if (list === '') break;
    }
  }
  return found;
}
