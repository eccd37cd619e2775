/** A request, shown: `GET http://api.example.com/orders/7?v=2` with `x-beta: 1`. */
import type { ConditionModel, MatchModel, SegmentModel } from '../../spec/model.js';
import type { Example } from './conditions.js';

/** `text` gives each segment's example; `host` is one of the match's, '' for any; `listener` is named where it matters. */
export function requestText(
  method: string,
  match: MatchModel,
  { host, listener }: { readonly host: string; readonly listener: string | undefined },
  text: (segment: SegmentModel, index: number) => string,
  conditions: readonly (readonly [ConditionModel, Example])[],
): string {
  const path = `/${match.segments.map(text).map(visible).join('/')}`;
  const origin = host === '' ? '' : `http://${host.replace(/^\*/, 'a')}`;
  const query: string[] = [];
  const headers: string[] = [];
  const missing: string[] = [];
  for (const [{ on, name }, example] of conditions) {
    if ('absent' in example) missing.push(`${on === 'header' ? 'header' : 'query parameter'} \`${name}\``);
    else if (on === 'query') query.push(`${encodeURIComponent(name)}=${encodeURIComponent(example.value)}`);
    else headers.push(`\`${name}: ${example.value}\``);
  }
  const line = `\`${method} ${origin}${path}${query.length > 0 ? `?${query.join('&')}` : ''}\``;
  const withHeaders = headers.length > 0 ? ` with ${headers.join(' and ')}` : '';
  const without = missing.length > 0 ? ` without ${missing.join(' and ')}` : '';
  return `${line}${withHeaders}${without}${listener === undefined ? '' : ` on listener \`${listener}\``}`;
}

/** Examples of patterns may hold any text; in a path what is not plain stands percent-encoded. */
const visible = (text: string): string => text.replace(/[^\x21-\x7e]/gu, (char) => encodeURIComponent(char));
