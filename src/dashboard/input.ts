import type { Key } from 'ink';

const NAMES = [
  ['upArrow', 'up'],
  ['downArrow', 'down'],
  ['leftArrow', 'left'],
  ['rightArrow', 'right'],
  ['pageUp', 'pageup'],
  ['pageDown', 'pagedown'],
  ['home', 'home'],
  ['end', 'end'],
  ['return', 'return'],
  ['escape', 'escape'],
  ['backspace', 'backspace'],
  // What most terminals send for the backspace key.
  ['delete', 'backspace'],
] as const satisfies readonly (readonly [keyof Key, string])[];

/** Names of the keys that Ink reports at once: several characters when they were typed fast or pasted. */
export function keyNames(input: string, key: Key): string[] {
  if (key.tab) return [key.shift ? 'shift-tab' : 'tab'];
  for (const [flag, name] of NAMES) if (key[flag]) return [name];
  if (key.ctrl) return /^[a-z]$/.test(input) ? [`ctrl-${input}`] : [];
  const typed = [...input].flatMap((character) => {
    if (character === '\r' || character === '\n') return ['return'];
    if (character === '\t') return ['tab'];
    if (character === '\b' || character === '\x7f') return ['backspace'];
    if (character >= ' ') return [character];
    // Ctrl and a letter, when it came in one read with another key.
    const letter = character.charCodeAt(0) | 0x60;
    return letter > 0x60 && letter <= 0x7a ? [`ctrl-${String.fromCharCode(letter)}`] : [];
  });
  // No key here goes with Alt: an escape right before a character is what it was, two keys pressed in a row.
  return key.meta ? ['escape', ...typed] : typed;
}
