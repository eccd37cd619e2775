/** Fills caches: requests URLs from the gateway itself, through its own listeners, as a client would. */

import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { splitAddress } from '../../proxy/downstream/address.js';
import { unixPath } from '../../proxy/downstream/unix-socket.js';
import { messageOf } from '../../reason.js';
import { MOST_WARM_URLS, type WarmInput, type WarmReport, type WarmResult } from '../../telemetry/cache-calls.js';
import { CacheError } from './policies.js';

/** A listener as it is bound. */
export interface WarmListener {
  readonly address: string;
  readonly tls: boolean;
}

const CONCURRENCY = { usual: 8, most: 64 };
/** Milliseconds. */
const TIMEOUT = { usual: 30_000, most: 120_000 };
/** Milliseconds of one call: URLs that are left are not requested. */
const CALL_MS = 300_000;
const MOST_FIELDS = 64;

/** Fields that belong to the connection or to gw. */
const OWN_FIELDS = new Set(['host', 'connection', 'content-length', 'transfer-encoding', 'upgrade', 'te', 'expect']);

interface Warming {
  readonly listeners: readonly WarmListener[];
  readonly headers: { readonly [name: string]: string };
  readonly timeoutMs: number;
  readonly deadline: number;
  readonly signal: AbortSignal;
  readonly http: HttpAgent;
  readonly https: HttpsAgent;
}

/** Resolves when all URLs were requested, or `signal` ends it. @throws CacheError */
export async function warm(
  listeners: readonly WarmListener[],
  input: WarmInput,
  signal: AbortSignal,
): Promise<WarmReport> {
  const { urls, headers = {} } = input;
  const concurrency = bounded('concurrency', input.concurrency, CONCURRENCY);
  const timeoutMs = bounded('timeoutMs', input.timeoutMs, TIMEOUT);
  const targets = urls.map(readUrl);
  if (urls.length === 0 || urls.length > MOST_WARM_URLS)
    throw new CacheError('invalid', `\`urls\` has 1 to ${MOST_WARM_URLS} URLs.`);
  checkFields(headers);
  const agent = { keepAlive: true, maxSockets: concurrency };
  // The client is the gateway itself: its certificate proves nothing to it.
  const [http, https] = [new HttpAgent(agent), new HttpsAgent({ ...agent, rejectUnauthorized: false })];
  const deadline = performance.now() + CALL_MS;
  const warming: Warming = { listeners, headers, timeoutMs, deadline, signal, http, https };
  const results: WarmResult[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < targets.length) {
      const at = next++;
      results[at] = await request(urls[at]!, targets[at]!, warming);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(concurrency, targets.length) }, worker));
  } finally {
    http.destroy();
    https.destroy();
  }
  return { version: 1, results };
}

function bounded(key: string, value: number | undefined, { usual, most }: { usual: number; most: number }): number {
  if (value === undefined) return usual;
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new CacheError('invalid', `\`${key}\` is a number from 1 to ${most}.`);
}

function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain = url !== undefined && url.username === '' && url.password === '';
  if (plain && (url.protocol === 'http:' || url.protocol === 'https:')) return url;
  throw new CacheError(
    'invalid',
    `\`${text.slice(0, 80)}\` is not an absolute URL such as https://api.example/products/1.`,
  );
}

function checkFields(headers: { readonly [name: string]: string }): void {
  const entries = Object.entries(headers);
  if (entries.length > MOST_FIELDS) throw new CacheError('invalid', `There are at most ${MOST_FIELDS} header fields.`);
  for (const [name, value] of entries) {
    if (OWN_FIELDS.has(name.toLowerCase()))
      throw new CacheError('invalid', `\`${name}\` follows from the URL or the connection.`);
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/i.test(name) || !/^[\t\x20-\x7e]*$/.test(value))
      throw new CacheError('invalid', `The header field \`${name.slice(0, 60)}\` is not valid.`);
  }
}

async function request(text: string, url: URL, warming: Warming): Promise<WarmResult> {
  const began = performance.now();
  const took = (): number => Math.round(performance.now() - began);
  const none = (error: string): WarmResult => ({
    url: text,
    status: null,
    cacheStatus: null,
    bytes: 0,
    tookMs: took(),
    error,
  });
  if (warming.signal.aborted || began >= warming.deadline) return none('not requested: the call took too long');
  const tls = url.protocol === 'https:';
  const listener = listenerFor(url, warming.listeners);
  if (listener === undefined) return none(`no listener takes ${tls ? 'https' : 'http'}`);
  try {
    const { response, bytes } = await get(url, splitAddress(listener.address), warming);
    const cacheStatus = response.headers['cache-status'] ?? null;
    return {
      url: text,
      status: response.statusCode ?? null,
      cacheStatus: String(cacheStatus ?? '') || null,
      bytes,
      tookMs: took(),
    };
  } catch (error) {
    return none(messageOf(error));
  }
}

/** The listener with the port of the URL, else the first one of its scheme. */
function listenerFor(url: URL, listeners: readonly WarmListener[]): WarmListener | undefined {
  const tls = url.protocol === 'https:';
  const port = url.port === '' ? (tls ? 443 : 80) : Number(url.port);
  const fitting = listeners.filter(({ address, tls: secure }) => secure === tls && unixPath(address) === undefined);
  return fitting.find(({ address }) => splitAddress(address).port === port) ?? fitting[0];
}

/** Reads the whole reply: only that is stored. */
function get(
  url: URL,
  { host, port }: { readonly host: string; readonly port: number },
  { headers, timeoutMs, signal, http, https }: Warming,
): Promise<{ readonly response: IncomingMessage; readonly bytes: number }> {
  const name = url.hostname.replace(/^\[|\]$/g, '');
  const options: RequestOptions = {
    host: reachable(host),
    port,
    path: url.pathname + url.search,
    headers: { 'user-agent': 'gw cache warm', ...headers, host: url.host },
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
  };
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void =>
      reject(
        error.name === 'AbortError' && !signal.aborted ? new Error(`no complete reply within ${timeoutMs} ms`) : error,
      );
    const take = (response: IncomingMessage): void => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      response.on('end', () => resolve({ response, bytes }));
      response.on('error', fail);
    };
    const sent =
      url.protocol === 'https:'
        ? httpsRequest({ ...options, agent: https, servername: isIP(name) === 0 ? name : '' }, take)
        : httpRequest({ ...options, agent: http }, take);
    sent.on('error', fail).end();
  });
}

/** An address at which a listener that takes all addresses can be reached. */
function reachable(host: string): string {
  if (host === '' || host === '0.0.0.0') return '127.0.0.1';
  return /^[0:]+$/.test(host) ? '::1' : host;
}
