/** `$toMillis` with a picture: the library makes a regular expression of it, which must not backtrack far. */
import { JsonataFault } from './fault.js';

const MAX_PICTURE = 256;
const MAX_TEXT = 128;

/**
 * Throws JsonataFault if two neighbours of the picture could share the characters of a text in many ways: parts of varying
 * width without anything between them that neither can contain. `[Y0001][M01][D01]` has fixed widths and is fine.
 */
export function checkPicture(text: string, picture: string): void {
  if (picture.length > MAX_PICTURE || text.length > MAX_TEXT)
    throw new JsonataFault(
      'error',
      `$toMillis: a picture of more than ${MAX_PICTURE} characters, or a time of more than ${MAX_TEXT}.`,
    );
  let varying = false;
  for (const [, marker, literal] of picture.matchAll(/\[([^\]]*)\]|([^[]+|\[)/g)) {
    if (literal !== undefined) {
      if (/[^0-9a-z,\- ]/i.test(literal) || /^ +$|^[-,] *$/.test(literal)) varying = false;
    } else if (!hasFixedWidth(marker ?? '')) {
      if (varying)
        throw new JsonataFault('error', '$toMillis: two parts of the picture have no separator between them.');
      varying = true;
    }
  }
}

/** Two or more digits, as `01`, have a fixed width. So have time zones and am/pm, whose texts are few. */
const hasFixedWidth = (marker: string): boolean => /^.\s*[0-9]{2,}/.test(marker) || /^[ZzPEC]/.test(marker);
