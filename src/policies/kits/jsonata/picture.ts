/** `$toMillis` with a picture: the library makes a regular expression of it, which must not backtrack far. */
import { JsonataFault } from './fault.js';

const MAX_PICTURE = 256;
const MAX_TEXT = 128;

/** What a part of a picture can contain. Words, as of `[Dwo]`, are letters with blanks, commas and hyphens between. */
type Characters = 'digits' | 'letters' | 'words';

/** A literal with one of these ends a part with those characters. */
const BEYOND: Readonly<Record<Characters, RegExp>> = {
  digits: /[^0-9]/,
  letters: /[^A-Za-z]/,
  words: /[^A-Za-z,\- ]/,
};

/**
 * Throws JsonataFault if two parts of the picture could share the characters of a text in many ways: parts of varying width
 * and of the same characters, with nothing between them that ends the first. `[Y0001][M01][D01]` has fixed widths and is fine.
 */
export function checkPicture(text: string, picture: string): void {
  if (picture.length > MAX_PICTURE || text.length > MAX_TEXT)
    throw new JsonataFault(
      'error',
      `$toMillis: a picture of more than ${MAX_PICTURE} characters, or a time of more than ${MAX_TEXT}.`,
    );
  /** Characters of the last part of varying width that nothing has ended. */
  let open: Characters | undefined;
  const parts = [...picture.matchAll(/\[([^\]]*)\]|([^[]+|\[)/g)];
  for (const [at, [, marker, literal]] of parts.entries()) {
    if (literal !== undefined) {
      if (open !== undefined && BEYOND[open].test(literal)) open = undefined;
      continue;
    }
    const part = partOf(marker ?? '');
    if (part.takesWidth && partOf(parts[at + 1]?.[1] ?? '').integer) continue;
    if (open !== undefined && (open === part.starts || (open !== 'digits' && part.starts !== 'digits')))
      throw new JsonataFault('error', '$toMillis: two parts of the picture have no separator between them.');
    open = part.ends;
  }
}

interface Part {
  readonly starts: Characters;
  readonly ends: Characters;
  readonly integer: boolean;
  /** Whether the library gives it a fixed width if an integer follows at once: some of its digits are mandatory. */
  readonly takesWidth: boolean;
}

const part = (starts: Characters, ends = starts): Part => ({ starts, ends, integer: false, takesWidth: false });

/** `marker`: what stands between the brackets: a component, how it is written, and a width after a comma. */
function partOf(marker: string): Part {
  const component = marker.charAt(0);
  const written = marker.slice(1).replace(/,.*$/s, '').trim();
  // A zone is a sign and digits, `z` with GMT before it.
  if (component === 'Z' || component === 'z') return part(component === 'z' ? 'letters' : 'words', 'digits');
  if (component === 'f') return { ...part('digits'), integer: true };
  if (/^[nN]/.test(written) || 'PEC'.includes(component) || (component === 'F' && written === ''))
    return part('letters');
  if (/^[wW]/.test(written)) return part('words');
  if (/^[aAiI]/.test(written)) return part('letters');
  const integer = component !== '';
  return { ...part('digits'), integer, takesWidth: integer && (written === '' || /[0-9]/.test(written)) };
}
