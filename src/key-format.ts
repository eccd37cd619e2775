/**
 * The form of the API keys that gw makes:
 *
 *     gw_  30 random characters (178 bits)  6 characters, a checksum of all before them
 *
 * All are letters and digits, so that a double click selects a whole key. Secret scanners find keys by the pattern, and know by
 * the checksum that a match is a key. gw stores only hashes, and does not look at the form of a key that a request bears.
 */
import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** For secret scanners; docs/running.md publishes it. */
export const KEY_PATTERN = /\bgw_[0-9A-Za-z]{36}\b/;

const PREFIX = 'gw_';
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const RANDOM_LENGTH = 30;
const CHECK_LENGTH = 6;
/** Bytes from here on would make some characters more likely than others. */
const FAIR_BYTES = 256 - (256 % DIGITS.length);

/** A new key. `random`: returns so many random bytes. */
export function newKey(random: (count: number) => Uint8Array = randomBytes): string {
  let text = PREFIX;
  while (text.length < PREFIX.length + RANDOM_LENGTH) {
    for (const byte of random(RANDOM_LENGTH)) {
      if (byte < FAIR_BYTES && text.length < PREFIX.length + RANDOM_LENGTH) text += DIGITS[byte % DIGITS.length];
    }
  }
  return text + checksumOf(text);
}

/** Whether the text is a key that gw made: false for one with a typing error. */
export function isKey(text: string): boolean {
  const body = text.slice(0, -CHECK_LENGTH);
  return KEY_PATTERN.exec(text)?.[0] === text && checksumOf(body) === text.slice(-CHECK_LENGTH);
}

/** What a spec stores of a key. */
export const keyHash = (key: string): string => `sha256:${createHash('sha256').update(key).digest('hex')}`;

function checksumOf(text: string): string {
  let rest = crc32(text);
  let digits = '';
  for (let at = 0; at < CHECK_LENGTH; at++) {
    digits = DIGITS[rest % DIGITS.length] + digits;
    rest = Math.floor(rest / DIGITS.length);
  }
  return digits;
}
