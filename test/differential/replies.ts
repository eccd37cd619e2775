/** What the target answers: chosen by the request, so that a mock and a real target agree. */
import type { OfflineCall, OfflineReply } from '../../src/proxy/offline/mocks.js';

/** Field that names the reply; every request has one. */
export const ASK = 'x-ask';

const LONG = 'A line of text that compresses well.\n'.repeat(60);

export const REPLIES: readonly OfflineReply[] = [
  { status: 200 },
  {
    status: 200,
    headers: { 'content-type': 'application/json', etag: '"a"' },
    body: '{"a": 1, "text": "a few more bytes"}',
  },
  { status: 200, headers: { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'max-age=5' }, body: LONG },
  {
    status: 200,
    headers: { 'content-type': 'text/plain', 'cache-control': 'no-transform', vary: 'origin' },
    body: LONG,
  },
  { status: 201, headers: { location: '/made', server: 'target' }, body: 'made' },
  { status: 204, headers: { etag: '"b"' } },
  { status: 304, headers: { etag: '"c"' } },
  { status: 301, headers: { location: 'https://elsewhere.example/' }, body: '' },
  { status: 400, headers: { 'content-type': 'application/problem+json' }, body: '{"title": "bad"}' },
  { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' }, body: 'who' },
  { status: 404, headers: { 'content-type': 'text/plain', 'x-inner': '1' }, body: 'nothing here' },
  { status: 500, headers: { 'content-type': 'text/html', etag: '"d"', 'content-language': 'en' }, body: LONG },
  { status: 503, headers: { 'retry-after': '7' }, body: '' },
];

const replyFor = (ask: string | undefined): OfflineReply => REPLIES[Number(ask ?? 0) % REPLIES.length]!;

export const replyTo = (fields: Iterable<readonly [name: string, value: string]>): OfflineReply =>
  replyFor([...fields].find(([name]) => name.toLowerCase() === ASK)?.[1]);

/** A mock that notes the last call. */
export class Mock {
  last: OfflineCall | undefined;
  readonly answer = (call: OfflineCall): OfflineReply => {
    this.last = call;
    return replyTo(call.headers);
  };
}
