/** Runs the automaton of a pattern over text, one table look-up for each byte of its UTF-8. */
import type { Dfa } from '../bundle/types.js';

/** Whether the whole text is accepted. A lone surrogate is read as U+FFFD, as in UTF-8. */
export function acceptsText({ accepts, classCount, classes, dead, next }: Dfa, text: string): boolean {
  let state = 0;
  const step = (byte: number): void => {
    state = next[state * classCount + classes[byte]!]!;
  };
  for (let i = 0; i < text.length && state !== dead; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) step(unit);
    else {
      let point = text.codePointAt(i)!;
      if (point > 0xffff) i++;
      else if (point >= 0xd800 && point <= 0xdfff) point = 0xfffd;
      const trail = point < 0x800 ? 1 : point < 0x1_0000 ? 2 : 3;
      step(LEAD[trail]! | (point >> (6 * trail)));
      for (let shift = 6 * (trail - 1); shift >= 0; shift -= 6) step(0x80 | ((point >> shift) & 0x3f));
    }
  }
  return accepts[state] === 1;
}

/** First byte of a sequence with so many trailing bytes. */
const LEAD = [0, 0xc0, 0xe0, 0xf0];
