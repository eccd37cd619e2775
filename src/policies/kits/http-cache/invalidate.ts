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
 * those in Location and Content-Location if they have the same origin, without fragments and user names. None for a safe method or
 * an error.
 */
export function invalidatedUrls(method: string, status: number, target: string, reply: ReadField): readonly string[] {
  if (!invalidates(method, status)) return [];
  const own = readUrl(target, undefined);
  if (own === undefined) return [];
  const urls = new Set([target]);
  for (const name of ['location', 'content-location']) {
    const field = reply(name);
    const url = field === undefined ? undefined : readUrl(field, own);
    if (url !== undefined && url.origin === own.origin) urls.add(url.href);
  }
  return [...urls];
}

function readUrl(text: string, base: URL | undefined): URL | undefined {
  if (text.length > LONGEST || !URL.canParse(text, base?.href)) return undefined;
  const url = new URL(text, base?.href);
  url.hash = '';
  url.username = '';
  url.password = '';
  return url;
}
