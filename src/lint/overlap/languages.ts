/** What the pattern of a typed parameter can be in a path: a short list of words, or anything at all. */
import type { Dfa } from '../../bundle/types.js';
import { includes } from '../../schema/dfa.js';
import { compilePattern } from '../../schema/regex.js';

/** What a segment can hold once it is decoded, which is what patterns are matched with. */
const ANY_SEGMENT = compilePattern('[^\\x00-\\x1f\\x7f/\\\\]+');

const MOST_WORDS = 16;
const LONGEST_WORD = 64;

export interface Language {
  /** All words, where they are few; decoded. */
  readonly words: readonly string[] | undefined;
  /** True when every segment is in it. */
  readonly everything: boolean;
}

const known = new WeakMap<Dfa, Language>();

export function languageOf(dfa: Dfa): Language {
  let language = known.get(dfa);
  if (!language) {
    language = { words: wordsOf(dfa), everything: 'dfa' in ANY_SEGMENT && includes(dfa, ANY_SEGMENT.dfa) };
    known.set(dfa, language);
  }
  return language;
}

/** Depth first over the states that lead on to acceptance: in a minimal automaton all but the sink. */
function wordsOf(dfa: Dfa): readonly string[] | undefined {
  const words: string[] = [];
  const bytes: number[] = [];
  let steps = 0;
  const visit = (state: number): boolean => {
    if (++steps > MOST_WORDS * LONGEST_WORD || bytes.length > LONGEST_WORD) return false;
    if (dfa.accepts[state] === 1 && bytes.length > 0) words.push(new TextDecoder().decode(Uint8Array.from(bytes)));
    if (words.length > MOST_WORDS) return false;
    for (let byte = 0; byte < 256; byte++) {
      const target = dfa.next[state * dfa.classCount + dfa.classes[byte]!]!;
      if (target === dfa.dead || byte === 0x2f) continue;
      bytes.push(byte);
      const few = visit(target);
      bytes.pop();
      if (!few) return false;
    }
    return true;
  };
  return visit(0) ? words : undefined;
}
