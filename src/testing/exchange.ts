/** An exchange for tests, without a connection. */
import { normalizePath } from '../bundle/normalize.js';
import type { ConsumerEntry, NormalizeEntry } from '../bundle/types.js';
import type { Claims, Decision, Exchange } from '../contract/index.js';
import { HeaderMap } from '../policies/run-kit/fields.js';
import { decodeQuery, takeQueryParam } from '../policies/run-kit/queries.js';

/** As a spec without `[normalize]` has them for paths that are rewritten. */
const REWRITE_RULES: NormalizeEntry = {
  encodedSlashes: 'refuse',
  doubleSlashes: 'merge',
  trailingSlash: 'strict',
  dotSegments: 'refuse',
};

/** A request of a test. */
export interface TestRequest {
  /** Default: GET. */
  readonly method?: string;
  /** Path and query. Default: `/`. */
  readonly url?: string;
  readonly headers?: { readonly [name: string]: string };
  readonly body?: string | Uint8Array;
  /** Fields behind the body. */
  readonly trailers?: { readonly [name: string]: string };
  readonly params?: { readonly [name: string]: string };
  /** Address of the client. Default: 192.0.2.1. */
  readonly address?: string;
  readonly consumer?: ConsumerEntry;
  readonly claims?: Claims;
}

export const bytesOf = (body: string | Uint8Array): Uint8Array => (typeof body === 'string' ? Buffer.from(body) : body);

/** Records decisions, as gw explain does. `id`: unique in a test. */
export function testExchange(request: TestRequest, id: string, now: number): Exchange {
  const { method = 'GET', url = '/', headers: given = {}, body, params = {}, address = '192.0.2.1' } = request;
  const [path = '/', query = ''] = url.split('?', 2);
  const fields = Object.entries(given).map(([name, value]) => [name.toLowerCase(), value] as const);
  const headers = new HeaderMap(fields);
  const received = new HeaderMap(fields);
  const [notes, memory] = [new Map<object, object>(), new Map<object, object>()];
  const decisions: Decision[] = [];
  return {
    id,
    method,
    host: headers.get('host') ?? 'localhost',
    path,
    query,
    targetPath: path,
    setTargetPath(given) {
      const normal = normalizePath(given, REWRITE_RULES);
      if (normal !== undefined) (this as { targetPath: string | undefined }).targetPath = normal;
      return normal !== undefined;
    },
    target: 'http://127.0.0.1:4001',
    remoteAddress: address,
    scheme: 'http',
    listener: 'main',
    connection: { address, trusted: false, tls: undefined },
    clientCertificate: undefined,
    route: {
      name: 'test',
      match: path,
      action: { use: 'proxy', summary: 'forwards to a test', settings: null },
      service: 0,
      policies: [],
      params: Object.keys(params),
      timeout: 0,
      source: { from: 'spec' },
    },
    startedAt: now,
    headers,
    hasBody: body !== undefined,
    wantsUpgrade: false,
    header: (name) => headers.get(name),
    received: (name) => received.get(name),
    receivedTarget: url,
    param: (name) => params[name],
    rawParam: (name) => (params[name] === undefined ? undefined : encodeURIComponent(params[name])),
    queryParam(name) {
      const [value] = takeQueryParam(this.query, name).values;
      return value === undefined ? undefined : decodeQuery(value);
    },
    consumer: request.consumer,
    claims: request.claims,
    known: request.consumer !== undefined || request.claims !== undefined,
    earlierCallers: undefined,
    absent: undefined,
    challenge: undefined,
    rule: undefined,
    note: (owner, value) => void notes.set(owner, value),
    noted: (owner) => notes.get(owner),
    remember: (owner, value) => void memory.set(owner, value),
    remembered: (owner) => memory.get(owner),
    sent: false,
    lasting: false,
    sendOnce: false,
    decisions,
  };
}
