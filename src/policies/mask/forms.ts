/** The forms of masking. */
import { createHmac } from 'node:crypto';

export type FormSettings =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'keep'; readonly last: number }
  | { readonly kind: 'hash'; readonly key: string | { readonly $ref: string } }
  | { readonly kind: 'remove' };

export interface Form {
  readonly removes: boolean;
  /** What stands in place of a text. */
  mask(text: string): string;
  /** What stands in place of something that is no text and no number, such as an object. */
  maskOther(json: string): string;
}

/** Bytes that the key of a hash has at least: a shorter one could be guessed from a text and its hash. */
const MIN_KEY = 16;
/** Characters of a hash: 128 bits in hex. */
const HASH_LENGTH = 32;
/** Characters that are replaced one by one; a longer text gets as many. */
const MAX_STARS = 256;

/** What stands for a text of which nothing is kept. */
export const DEFAULT_TEXT = '***';

/** Throws if the key of a hash is too short, which refuses the load. */
export function formOf(settings: FormSettings): Form {
  switch (settings.kind) {
    case 'text':
      return { removes: false, mask: () => settings.text, maskOther: () => settings.text };
    case 'keep':
      return { removes: false, mask: (text) => keptEnd(text, settings.last), maskOther: () => DEFAULT_TEXT };
    case 'hash':
      return hashing(settings.key);
    default:
      return { removes: true, mask: () => '', maskOther: () => '' };
  }
}

function hashing(key: string | { readonly $ref: string }): Form {
  if (typeof key !== 'string' || Buffer.byteLength(key) < MIN_KEY)
    throw new Error(`The key of a hash needs at least ${MIN_KEY} bytes.`);
  const mask = (text: string): string => createHmac('sha256', key).update(text).digest('hex').slice(0, HASH_LENGTH);
  return { removes: false, mask, maskOther: mask };
}

/** A text of which more than half would be kept is masked as a whole. */
function keptEnd(text: string, last: number): string {
  const characters = Array.from(text);
  const kept = characters.length >= 2 * last ? last : 0;
  const masked = '*'.repeat(Math.min(characters.length - kept, MAX_STARS));
  return kept === 0 ? masked : masked + characters.slice(-kept).join('');
}
