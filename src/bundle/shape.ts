/** Checks of the shape of decoded JSON: small checks that are put together. */

/** What is wrong with a value; undefined if it is valid. */
export type Check = (value: unknown, at: string) => string | undefined;

export const isTable = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const expected = (at: string, what: string): string => `\`${at}\` is not ${what}`;

export const text: Check = (value, at) => (typeof value === 'string' ? undefined : expected(at, 'text'));
export const flag: Check = (value, at) => (typeof value === 'boolean' ? undefined : expected(at, 'true or false'));
export const anything: Check = () => undefined;

export const number =
  (min: number, max = Number.MAX_SAFE_INTEGER): Check =>
  (value, at) =>
    typeof value === 'number' && value >= min && value <= max ? undefined : expected(at, `a number from ${min}`);

export const index =
  (min: number): Check =>
  (value, at) =>
    Number.isSafeInteger(value) && (value as number) >= min ? undefined : expected(at, 'an index');

export const word =
  (...words: readonly string[]): Check =>
  (value, at) =>
    typeof value === 'string' && words.includes(value) ? undefined : expected(at, `one of ${words.join(', ')}`);

export const always: Check = (value, at) => (value === true ? undefined : expected(at, 'true'));

export const reference: Check = (value, at) =>
  typeof value === 'string' || (isTable(value) && typeof value['$ref'] === 'string')
    ? undefined
    : expected(at, 'text or a reference');

export const list =
  (item: Check): Check =>
  (value, at) => {
    if (!Array.isArray(value)) return expected(at, 'a list');
    for (let i = 0; i < value.length; i++) {
      const problem = item(value[i], `${at}.${i}`);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };

export const map =
  (item: Check): Check =>
  (value, at) => {
    if (!isTable(value)) return expected(at, 'a table');
    for (const key of Object.keys(value)) {
      const problem = item(value[key], `${at}.${key}`);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };

interface Optional {
  readonly optional: Check;
}

export const optional = (check: Check): Optional => ({ optional: check });

/** A table with these keys. Other keys are ignored: a later gw with the same format may write them. */
export const table =
  (fields: { readonly [key: string]: Check | Optional }): Check =>
  (value, at) => {
    if (!isTable(value)) return expected(at, 'a table');
    for (const [key, field] of Object.entries(fields)) {
      const item = Object.hasOwn(value, key) ? value[key] : undefined;
      if (item === undefined && typeof field !== 'function') continue;
      const problem = (typeof field === 'function' ? field : field.optional)(item, at === '' ? key : `${at}.${key}`);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
