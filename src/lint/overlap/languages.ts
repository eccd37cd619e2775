/** What the pattern of a typed parameter accepts in a path: a short list of words, or any segment. */
import type { Dfa } from '../../bundle/types.js';
import { includes } from '../../schema/regex/dfa.js';
import { compilePattern } from '../../schema/regex/regex.js';

/** All decoded segments; patterns are matched against decoded text. */
const ANY_SEGMENT = compilePattern('[^\\x00-\\x1f\\x7f/\\\\]+');

const MOST_WORDS = 16;
const LONGEST_WORD = 64;

export interface Language {
  /** All words, decoded; undefined if there are many. */
  readonly words: readonly string[] | undefined;
  /** Whether it accepts every segment. */
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

const textsKnown = new WeakMap<Dfa, { readonly texts: readonly string[] | undefined }>();

/** All texts that the automaton accepts except the empty one, one character per byte; undefined if there are many. */
export function textsOf(dfa: Dfa): readonly string[] | undefined {
  let answer = textsKnown.get(dfa);
  if (!answer) {
    answer = { texts: few(dfa, (bytes) => String.fromCharCode(...bytes), NO_BYTE) };
    textsKnown.set(dfa, answer);
  }
  return answer.texts;
}

const SLASH = 0x2f;
const NO_BYTE = -1;

const wordsOf = (dfa: Dfa): readonly string[] | undefined =>
  few(dfa, (bytes) => new TextDecoder().decode(Uint8Array.from(bytes)), SLASH);

/**
 * All accepted words without the byte `except`; undefined if there are many. Depth first over the states that lead to
 * acceptance, which in a minimal automaton are all but the sink.
 */
function few(dfa: Dfa, spell: (bytes: readonly number[]) => string, except: number): readonly string[] | undefined {
  const words: string[] = [];
  const bytes: number[] = [];
  let steps = 0;
  const visit = (state: number): boolean => {
    if (++steps > MOST_WORDS * LONGEST_WORD || bytes.length > LONGEST_WORD) return false;
    if (dfa.accepts[state] === 1 && bytes.length > 0) words.push(spell(bytes));
    if (words.length > MOST_WORDS) return false;
    for (let byte = 0; byte < 256; byte++) {
      const target = dfa.next[state * dfa.classCount + dfa.classes[byte]!]!;
      if (target === dfa.dead || byte === except) continue;
      bytes.push(byte);
      const isFew = visit(target);
      bytes.pop();
      if (!isFew) return false;
    }
    return true;
  };
  return visit(0) ? words : undefined;
}
