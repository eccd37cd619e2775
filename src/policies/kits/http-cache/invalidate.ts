/** What a request with an unsafe method makes invalid, RFC 9111 section 4.4. */
import type { ReadField } from './fields.js';

/** Methods that are registered as safe, RFC 9110 section 9.2.1. Any other one may change something. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PRI', 'PROPFIND', 'QUERY', 'REPORT', 'SEARCH']);

export const isSafe = (method: string): boolean => SAFE.has(method);

/** Whether a reply makes stored replies invalid: to an unsafe method, and not an error. */
export const invalidates = (method: string, status: number): boolean =>
  !isSafe(method) && status >= 200 && status < 400;

/** Longer references are not read. */
const LONGEST = 8192;

/**
 * The absolute URLs whose stored replies are invalid after a reply: `target`, the absolute URL of the request, as it is given, and
 * those in Location and Content-Location if they have the same origin, without fragments and user names, the path in normal form
 * (RFC 3986 section 6.2.2) and the query as it is written. None for a safe method or an error.
 */
export function invalidatedUrls(method: string, status: number, target: string, reply: ReadField): readonly string[] {
  if (!invalidates(method, status) || !/^https?:\/\//i.test(target)) return [];
  const urls = new Set([target]);
  // A host can be valid that this does not read: then there is nothing to compare with.
  if (!URL.canParse(target)) return [target];
  const own = new URL(target);
  for (const name of ['location', 'content-location']) {
    const field = reply(name);
    const url = field === undefined ? undefined : resolve(field, own);
    if (url !== undefined) urls.add(url);
  }
  return [...urls];
}

/** Undefined for another origin than `own`. */
function resolve(reference: string, own: URL): string | undefined {
  if (reference.length > LONGEST || !URL.canParse(reference, own.href)) return undefined;
  const { origin, pathname, search } = new URL(reference, own.href);
  if (origin !== own.origin) return undefined;
  return origin + normalPath(pathname) + (/^[^?#]*(\?[^#]*)/.exec(reference)?.[1] ?? search);
}

const UNRESERVED = /^[A-Za-z0-9\-._~]$/;

/** Without escapes that are not needed, with those that are, in upper case: as paths are matched and stored. */
const normalPath = (path: string): string =>
  path
    .replace(/["<>[\]^`{|}]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replace(/%[0-9a-f]{2}/gi, (encoded) => {
      const char = String.fromCharCode(Number.parseInt(encoded.slice(1), 16));
      return UNRESERVED.test(char) ? char : encoded.toUpperCase();
    });
