/** Functions over strings and times that are bounded beyond the price of their arguments. */
import type { Bounded, Budget } from './budget.js';
import { JsonataFault } from './fault.js';
import { checkPicture } from './picture.js';

/** A match as matchers return it: those of regular expressions, and functions of the program. */
interface Match {
  readonly match?: unknown;
  /** Functions of the program are objects with a method `apply`. */
  readonly next: { apply(self: unknown, args: unknown[]): Match | undefined | Promise<Match | undefined> };
}

type Matcher = (text: string) => Match | undefined | Promise<Match | undefined>;

export const TEXT_FUNCTIONS: Readonly<Record<string, Bounded>> = {
  string(budget, call, args) {
    const [value] = args;
    budget.spendValue(value);
    if (typeof value === 'string') budget.madeTexts?.add(value);
    return call(...args);
  },

  pad(budget, call, args) {
    const [, width] = args;
    if (typeof width === 'number') budget.allowString(Math.abs(width));
    return call(...args);
  },

  join(budget, call, args) {
    const [list, separator] = args;
    const between = typeof separator === 'string' ? separator.length : 0;
    let length = 0;
    if (Array.isArray(list)) for (const item of list) length += (typeof item === 'string' ? item.length : 0) + between;
    budget.allowString(length);
    return call(...args);
  },

  split(budget, call, args) {
    const [text, separator, limit] = args;
    if (typeof text === 'string' && typeof separator === 'string')
      budget.spendItems(countParts(text, separator, typeof limit === 'number' ? limit : Number.POSITIVE_INFINITY));
    return call(...args);
  },

  replace(budget, call, args) {
    const [text, pattern, replacement, limit] = args;
    if (typeof text !== 'string' || typeof replacement !== 'string' || pattern === '') return call(...args);
    if (typeof pattern === 'string') {
      const times = Math.min(countParts(text, pattern, Number.POSITIVE_INFINITY) - 1, limitOf(limit));
      budget.allowString(text.length + times * replacement.length);
      return call(...args);
    }
    return call(text, countedMatcher(budget, pattern as Matcher, text.length, replacement), replacement, limit);
  },

  formatNumber(budget, call, args) {
    shortPicture(budget, args[1]);
    return call(...args);
  },

  formatInteger(budget, call, args) {
    shortPicture(budget, args[1]);
    return call(...args);
  },

  parseInteger(budget, call, args) {
    shortPicture(budget, args[1]);
    shortPicture(budget, args[0]);
    return call(...args);
  },

  toMillis(_budget, call, args) {
    const [text, picture] = args;
    if (typeof text === 'string' && typeof picture === 'string') checkPicture(text, picture);
    return call(...args);
  },

  fromMillis(budget, call, args) {
    shortPicture(budget, args[1]);
    return call(...args);
  },

  now(budget, _call, args, natives) {
    shortPicture(budget, args[0]);
    return natives.call('fromMillis', budget.now, ...args);
  },

  millis: (budget) => budget.now,

  random: (budget) => budget.random(),
};

const limitOf = (limit: unknown): number => (typeof limit === 'number' ? limit : Number.POSITIVE_INFINITY);

/** Parts between the separators; with an empty separator, the characters. */
function countParts(text: string, separator: string, limit: number): number {
  if (separator === '') return Math.min(text.length, limit);
  let parts = 1;
  for (let at = text.indexOf(separator); at >= 0; at = text.indexOf(separator, at + separator.length)) parts++;
  return parts;
}

/** Adds up what the replacement of each match can be at most. */
function countedMatcher(budget: Budget, matcher: Matcher, textLength: number, replacement: string): Matcher {
  const references = replacement.split('$').length - 1;
  let length = textLength;
  const counted = (found: Match | undefined): Match | undefined => {
    if (found === undefined) return undefined;
    length += replacement.length + references * (typeof found.match === 'string' ? found.match.length : 0);
    budget.allowString(length);
    return { ...found, next: () => either(found.next.apply(undefined, []), counted) };
  };
  return (text) => either(matcher(text), counted);
}

function either<T, R>(value: T | Promise<T>, work: (value: T) => R): R | Promise<R> {
  return value instanceof Promise ? value.then(work) : work(value);
}

const MAX_PICTURE = 256;

function shortPicture(_budget: Budget, picture: unknown): void {
  if (typeof picture === 'string' && picture.length > MAX_PICTURE)
    throw new JsonataFault('error', `A picture or a number as text has more than ${MAX_PICTURE} characters.`);
}
