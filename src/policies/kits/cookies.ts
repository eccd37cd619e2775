/** Cookies of requests, RFC 6265 section 5.4. */
import type { HeaderFields } from '../contract.js';

/** All Cookie fields as one. A client must not send several, but targets read the cookies of all. */
export function cookieField(headers: HeaderFields): string | undefined {
  const joined = headers.get('cookie');
  if (joined?.includes(',') !== true) return joined;
  const fields: string[] = [];
  for (const [name, value] of headers.entries()) if (name === 'cookie') fields.push(value);
  return fields.join('; ');
}

/** The values of a cookie in a Cookie field; a name may occur several times. Quotes around a value are not part of it. */
export function cookieValues(field: string | undefined, name: string): string[] {
  const values: string[] = [];
  for (const pair of pairs(field)) {
    if (nameOf(pair) !== name) continue;
    const value = pair.slice(pair.indexOf('=') + 1).trim();
    values.push(value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value);
  }
  return values;
}

/** The field without every cookie of that name; '' if nothing is left. */
export const withoutCookie = (field: string, name: string): string =>
  pairs(field)
    .filter((pair) => nameOf(pair) !== name)
    .map((pair) => pair.trim())
    .join('; ');

/**
 * Removes the cookies whose names the test finds from a request; the others stay. A pair without `=` counts as a name. Returns whether
 * there were any.
 */
export function removeCookies(headers: HeaderFields, test: (name: string) => boolean): boolean {
  const field = cookieField(headers);
  if (field === undefined) return false;
  const all = pairs(field);
  const kept = all.filter((pair) => {
    const equals = pair.indexOf('=');
    return !test((equals < 0 ? pair : pair.slice(0, equals)).trim());
  });
  if (kept.length === all.length) return false;
  if (kept.length === 0) headers.remove('cookie');
  else headers.set('cookie', kept.map((pair) => pair.trim()).join('; '));
  return true;
}

const pairs = (field: string | undefined): string[] =>
  field === undefined ? [] : field.split(';').filter((pair) => pair.trim() !== '');

const nameOf = (pair: string): string => {
  const equals = pair.indexOf('=');
  return equals < 0 ? '' : pair.slice(0, equals).trim();
};
