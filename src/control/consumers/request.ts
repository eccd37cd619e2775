/** What users and programs ask of keys, checked: the same for `gw keys` and the admin API. */

import { readInstant } from '../../schema/instants.js';
import { parseDuration } from '../../schema/units.js';
import { blockProblem } from '../../spec/addresses.js';
import { wholeSecond } from '../../spec/edit/change.js';
import { NAME_PATTERN } from '../../spec/entities.js';
import { KeysError } from './keys.js';

const invalid = (message: string): KeysError => new KeysError('invalid', message);

/** Years are no unit of durations; a key that lives longer has a date. */
const LONGEST = 3650 * 86_400_000;

/** `90d`, a date such as `2027-01-31T00:00:00Z`, or `never`: when a key ends, in milliseconds since 1970. */
export function endOf(text: string, now: number): number | undefined {
  if (text === 'never') return undefined;
  const duration = parseDuration(text);
  const instant = duration === undefined ? readInstant(text) : now + duration;
  if (instant === undefined || (duration ?? 0) > LONGEST) {
    throw invalid(
      `\`${text}\` is no time: write \`90d\`, \`12h\`, a date such as \`2027-01-31T00:00:00Z\`, or \`never\`.`,
    );
  }
  if (instant <= now) throw invalid(`\`${text}\` is in the past.`);
  return wholeSecond(instant);
}

/** `24h` in milliseconds. */
export function overlapOf(text: string): number {
  const duration = text === '0' ? 0 : parseDuration(text);
  if (duration === undefined || duration > LONGEST) {
    throw invalid(`\`${text}\` is no duration: write \`24h\`, \`30min\`, or \`0\`.`);
  }
  return duration;
}

/** `what` it names: `consumer`, `credential`. Throws KeysError. */
export function checkName(text: string, what: string): string {
  if (text.length <= 256 && NAME_PATTERN.test(text)) return text;
  throw invalid(
    `\`${text.slice(0, 60)}\` is not the name of a ${what}: it begins with a letter or digit, followed by letters, digits, \`_\`, \`-\` and \`.\`.`,
  );
}

/** Addresses and blocks (CIDR), as they were given. Throws KeysError. */
export function checkAddresses(addresses: readonly string[]): readonly string[] {
  for (const address of addresses) {
    const problem = blockProblem(address);
    if (problem !== undefined) throw invalid(problem);
  }
  return addresses;
}
