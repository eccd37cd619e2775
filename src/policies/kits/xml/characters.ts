/** Characters and names of XML 1.0 (fifth edition). */

const NAME_START =
  ':A-Z_a-z\\u{C0}-\\u{D6}\\u{D8}-\\u{F6}\\u{F8}-\\u{2FF}\\u{370}-\\u{37D}\\u{37F}-\\u{1FFF}\\u{200C}-\\u{200D}\\u{2070}-\\u{218F}\\u{2C00}-\\u{2FEF}\\u{3001}-\\u{D7FF}\\u{F900}-\\u{FDCF}\\u{FDF0}-\\u{FFFD}\\u{10000}-\\u{EFFFF}';
/** Source of a regular expression with the flag `u` that matches a name. */
export const NAME = `[${NAME_START}][${NAME_START}\\-.0-9\\u{B7}\\u{300}-\\u{36F}\\u{203F}-\\u{2040}]*`;

const WHOLE_NAME = new RegExp(`^${NAME}$`, 'u');
const FORBIDDEN = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/u;

export const isName = (text: string): boolean => WHOLE_NAME.test(text);

/** Whether a character is in it that no XML may contain, also not as a reference. */
export const hasForbidden = (text: string): boolean => FORBIDDEN.test(text);

const PREDEFINED: ReadonlyMap<string, string> = new Map([
  ['lt', '<'],
  ['gt', '>'],
  ['amp', '&'],
  ['quot', '"'],
  ['apos', "'"],
]);

const REFERENCE = /&(?:#([0-9]{1,7});|#x([0-9A-Fa-f]{1,6});|([a-z]{2,4});)?/g;

/** The text without references; undefined if one is neither predefined nor a character of XML. */
export function withoutReferences(text: string): string | undefined {
  if (!text.includes('&')) return text;
  let wrong = false;
  const replaced = text.replace(REFERENCE, (_, decimal?: string, hex?: string, name?: string) => {
    const code = decimal !== undefined ? Number(decimal) : hex !== undefined ? Number.parseInt(hex, 16) : undefined;
    const character =
      code === undefined ? PREDEFINED.get(name ?? '') : code <= 0x10ffff ? String.fromCodePoint(code) : undefined;
    if (character === undefined || hasForbidden(character)) wrong = true;
    return character ?? '';
  });
  return wrong ? undefined : replaced;
}
