/** What is recognised in texts without a pattern: addresses of email, numbers of payment cards, bank accounts. */

export const KINDS = ['email', 'card', 'iban'] as const;
export type Kind = (typeof KINDS)[number];

/** Parts of a text: start and end of each, in UTF-16 code units. */
export type Spans = (readonly [start: number, end: number])[];

/** Finds parts of a text, with work linear in its length. */
export type Find = (text: string, found: Spans) => void;

export const findKind: { readonly [kind in Kind]: Find } = { email: findEmails, card: findCards, iban: findIbans };

// ---------------------------------------------------------------- email

/** RFC 5321 section 4.5.3.1. */
const MAX_LOCAL = 64;
const MAX_DOMAIN = 255;

/** Without `/ = ? & { | }`, which addresses may have, but which stand around them in URLs and other texts. */
const LOCAL = /[A-Za-z0-9.!#$%'*+^_`~\-\u0080-\uffff]/;
const DOMAIN = /[A-Za-z0-9.\-\u0080-\uffff]/;

/** With a dot in the domain, as addresses of the internet have it. */
function findEmails(text: string, found: Spans): void {
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
    let start = at;
    while (start > 0 && at - start < MAX_LOCAL && LOCAL.test(text[start - 1]!)) start--;
    let end = at + 1;
    while (end < text.length && end - at <= MAX_DOMAIN && DOMAIN.test(text[end]!)) end++;
    // The full stop of a sentence.
    while (end > at + 1 && /[.-]/.test(text[end - 1]!)) end--;
    if (start < at && /[^.]\.[^.]/.test(text.slice(at + 1, end))) found.push([start, end]);
  }
}

// ---------------------------------------------------------------- cards

const SHORTEST_CARD = 12;
const LONGEST_CARD = 19;

/**
 * Numbers of 12 to 19 digits whose check digit is right (ISO/IEC 7812, Luhn) and that begin with 2 to 6, as those of payment cards do;
 * with at most one space or hyphen between two digits. They begin and end where a group of digits does. The fraction of a number is
 * none.
 */
function findCards(text: string, found: Spans): void {
  if (text.length < SHORTEST_CARD) return;
  for (let at = 0; at < text.length; ) {
    if (!isDigit(text, at)) {
      at++;
      continue;
    }
    const end = isFraction(text, at) ? NONE : endOfCard(text, at);
    if (end !== NONE) found.push([at, end]);
    at = end === NONE ? endOfDigits(text, at) : end;
  }
}

const NONE = -1;

const isDigit = (text: string, at: number): boolean => {
  const code = text.charCodeAt(at);
  return code >= 0x30 && code <= 0x39;
};

const isFraction = (text: string, at: number): boolean => text[at - 1] === '.' && isDigit(text, at - 2);

function endOfDigits(text: string, start: number): number {
  let at = start;
  while (isDigit(text, at)) at++;
  return at;
}

/** The end of the longest card that begins there; NONE if there is none. */
function endOfCard(text: string, start: number): number {
  if (!/[2-6]/.test(text[start]!)) return NONE;
  let digits = '';
  let longest = NONE;
  for (let at = start; isDigit(text, at); ) {
    const end = endOfDigits(text, at);
    if (digits.length + end - at > LONGEST_CARD) break;
    digits += text.slice(at, end);
    if (digits.length >= SHORTEST_CARD && isLuhn(digits)) longest = end;
    at = /[ -]/.test(text[end] ?? '') ? end + 1 : end;
  }
  return longest;
}

function isLuhn(digits: string): boolean {
  let sum = 0;
  for (let at = 0; at < digits.length; at++) {
    const digit = digits.charCodeAt(digits.length - 1 - at) - 0x30;
    sum += at % 2 === 0 ? digit : digit > 4 ? 2 * digit - 9 : 2 * digit;
  }
  return sum % 10 === 0;
}

// ---------------------------------------------------------------- bank accounts

/** Letters and digits of an account. */
const SHORTEST_IBAN = 15;
const LONGEST_IBAN = 34;

/** ISO 13616: a country, two check digits, and up to 30 letters and digits, perhaps with spaces. The longest that is valid. */
function findIbans(text: string, found: Spans): void {
  if (text.length < SHORTEST_IBAN) return;
  for (let at = 0; at < text.length; ) {
    const end = isDigit(text, at + 2) && valueAt(text, at - 1) < 0 ? endOfIban(text, at) : NONE;
    if (end !== NONE) found.push([at, end]);
    at = end === NONE ? at + 1 : end;
  }
}

/** What a letter or digit counts: 0 to 35; -1 for other characters, and beyond the text. */
function valueAt(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x7a ? letter - 0x61 + 10 : -1;
}

/** The remainder of 97 is 1, with the first four characters at the end and letters as 10 to 35. */
function endOfIban(text: string, start: number): number {
  const [first, second] = [valueAt(text, start), valueAt(text, start + 1)];
  if (first < 10 || second < 10 || !isDigit(text, start + 3)) return NONE;
  const begin = (first * 100 + second) * 100 + valueAt(text, start + 2) * 10 + valueAt(text, start + 3);
  let remainder = 0;
  let longest = NONE;
  let at = start + 4;
  for (let count = 5; count <= LONGEST_IBAN; count++) {
    if (text[at] === ' ') at++;
    const value = valueAt(text, at);
    if (value < 0) break;
    remainder = (remainder * (value > 9 ? 100 : 10) + value) % 97;
    at++;
    if (count < SHORTEST_IBAN || valueAt(text, at) >= 0) continue;
    if ((remainder * 1_000_000 + begin) % 97 === 1) longest = at;
  }
  return longest;
}
