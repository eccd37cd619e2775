/**
 * Names that mark values inside the library. A client's object with such a member could pass for a function or set
 * variables, so these names get a prefix on the way in and lose it on the way out.
 */
const RESERVED: ReadonlySet<string> = new Set(['tupleStream', 'outerWrapper', '_jsonata_lambda', '_jsonata_function']);

const PREFIX = '\0';

export const isReserved = (name: string): boolean => RESERVED.has(name);

const isPrefixed = (name: string): boolean => name.startsWith(PREFIX) && RESERVED.has(name.replace(/^\0+/, ''));

export const inside = (name: string): string => (RESERVED.has(name) || isPrefixed(name) ? PREFIX + name : name);

export const outside = (name: string): string => (isPrefixed(name) ? name.slice(1) : name);
