/** A header field on the command line. */
import { usage } from './exit-codes.js';

/** Name and value of `name: value`. @throws CommandError */
export function headerField(text: string): readonly [string, string] {
  const colon = text.indexOf(':');
  const name = text.slice(0, Math.max(0, colon)).trim();
  if (name === '') throw usage(`\`${text}\` is not a header field: write \`name: value\`.`);
  // The proxy would read the rest of the line as another field.
  if (/[\r\n\0]/.test(text))
    throw usage(`The header field \`${name.split(/[\r\n\0]/)[0]}\` holds a line break or a NUL.`);
  return [name, text.slice(colon + 1).trim()];
}
