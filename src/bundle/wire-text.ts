/** Header values as the codec sees them: one character for each byte. */

/** Text as it arrives when a client sends it as UTF-8, which is what clients do with text beyond ASCII. */
export const wireText = (text: string): string =>
  /[^\0-\x7f]/.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text;

/** The same the other way, for people. Bytes that are not UTF-8 are shown as replacement characters. */
export const shownText = (text: string): string =>
  /[^\0-\x7f]/.test(text) ? Buffer.from(text, 'latin1').toString('utf8') : text;
