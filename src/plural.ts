/** Numbers with their noun, for every message that counts something. */

/** `route` for one, `routes` for any other number; `policy` becomes `policies`. */
export function nounFor(count: number, noun: string): string {
  if (count === 1) return noun;
  return /[^aeiou]y$/.test(noun) ? `${noun.slice(0, -1)}ies` : `${noun}s`;
}

/** `1 route`, `2 routes`. */
export const counted = (count: number, noun: string): string => `${count} ${nounFor(count, noun)}`;
