/** Conversion of header values between text and the codec's form with one character per byte. */

/** Text in the codec's form, as sent by a client in UTF-8. */
export const wireText = (text: string): string =>
  /[^\0-\x7f]/.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text;

/** A value in the codec's form as text for display. Bytes that are not UTF-8 become replacement characters. */
export const shownText = (text: string): string =>
  /[^\0-\x7f]/.test(text) ? Buffer.from(text, 'latin1').toString('utf8') : text;
