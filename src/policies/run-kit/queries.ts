/** Queries of URLs. */

/** Removes every occurrence of a parameter; returns the rest of the raw query, and the decoded values. */
export function takeQueryParam(query: string, name: string): { readonly rest: string; readonly values: string[] } {
  if (query === '') return { rest: '', values: [] };
  const kept: string[] = [];
  const values: string[] = [];
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=');
    const key = equals < 0 ? pair : pair.slice(0, equals);
    if (decodeQuery(key) === name) values.push(equals < 0 ? '' : decodeQuery(pair.slice(equals + 1)));
    else kept.push(pair);
  }
  return values.length === 0 ? { rest: query, values } : { rest: kept.join('&'), values };
}

/** The first value of a parameter, decoded; undefined if the query has none of that name. */
export function firstValue(query: string, name: string): string | undefined {
  for (let at = 0; at < query.length; ) {
    let end = query.indexOf('&', at);
    if (end < 0) end = query.length;
    let equals = query.indexOf('=', at);
    if (equals < 0 || equals > end) equals = end;
    if (decodeQuery(query.slice(at, equals)) === name) return decodeQuery(query.slice(equals + 1, end));
    at = end + 1;
  }
  return undefined;
}

/** Plus and percent decoding of a form-encoded query; text with an invalid encoding stays unchanged. */
export function decodeQuery(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}
