/** The calls of the admin API about caches: what they did and hold, purges, and requests that fill them. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type {
  CacheSelection,
  CacheStats,
  ListInput,
  PurgeInput,
  PurgeReport,
  StoredReplies,
  WarmInput,
  WarmReport,
} from '../../telemetry/cache-calls.js';
import { CacheError } from '../cache/policies.js';
import { bodyOf, flag, invalid, Refusal, refuseMethod, text, type Values } from './body.js';
import { sendJson, sendProblem } from './problem.js';

export interface CacheBackend {
  /** @throws CacheError, as do the others */
  stats(): Promise<CacheStats>;
  list(input: ListInput): Promise<StoredReplies>;
  purge(input: PurgeInput): Promise<PurgeReport>;
  /** Ends when `signal` does. */
  warm(input: WarmInput, signal: AbortSignal): Promise<WarmReport>;
}

export const CACHE_CALLS = '/cache, /cache/list, /cache/purge, /cache/warm';

/** Bytes of a list of URLs: as many as a call may have, each as long as listeners accept by default. */
const MOST_WARM_BYTES = 8 * 1024 * 1024;

const STATUS = {
  unknown: [404, 'admin/unknown-name', 'Unknown name'],
  invalid: [422, 'admin/invalid', 'Invalid value'],
  ending: [503, 'admin/ending', 'Gateway not ready'],
} as const satisfies Record<CacheError['reason'], readonly [number, string, string]>;

/** Answers a call under `/cache`; false for any other path. */
export function answerCache(
  request: IncomingMessage,
  response: ServerResponse,
  { pathname }: URL,
  backend: CacheBackend,
): Promise<void> | false {
  const call = CALLS[pathname];
  if (call === undefined) return false;
  const method = request.method === 'HEAD' ? 'GET' : (request.method ?? '');
  if (method === call.method) return answering(response, () => call.run(request, response, backend));
  request.resume();
  const allow = call.method === 'GET' ? 'GET, HEAD' : call.method;
  return answering(response, () => Promise.reject(refuseMethod(pathname, request.method ?? '', allow)));
}

type Run = (request: IncomingMessage, response: ServerResponse, backend: CacheBackend) => Promise<void>;

const CALLS: Readonly<Record<string, { readonly method: 'GET' | 'POST'; readonly run: Run }>> = {
  '/cache': {
    method: 'GET',
    run: async (request, response, backend) => {
      request.resume();
      sendJson(response, 200, await backend.stats());
    },
  },
  '/cache/list': { method: 'POST', run: list },
  '/cache/purge': { method: 'POST', run: purge },
  '/cache/warm': { method: 'POST', run: warm },
};

async function answering(response: ServerResponse, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof Refusal) return sendProblem(response, error.problem);
    if (!(error instanceof CacheError)) throw error;
    const [status, code, title] = STATUS[error.reason];
    sendProblem(response, { status, code, title, detail: error.message });
  }
}

const SELECTION = ['policy', 'url', 'route', 'tag', 'all'];

async function list(request: IncomingMessage, response: ServerResponse, backend: CacheBackend): Promise<void> {
  const values = await bodyOf(request, [...SELECTION, 'most']);
  const most = number(values, 'most');
  const input: ListInput = { ...selection(values), ...(most === undefined ? {} : { most }) };
  sendJson(response, 200, await backend.list(input));
}

async function purge(request: IncomingMessage, response: ServerResponse, backend: CacheBackend): Promise<void> {
  const values = await bodyOf(request, [...SELECTION, 'soft']);
  const input: PurgeInput = { ...selection(values), soft: flag(values, 'soft') ?? false };
  sendJson(response, 200, await backend.purge(input));
}

function selection(values: Values): CacheSelection {
  const policy = text(values, 'policy');
  return {
    ...(policy === undefined ? {} : { policy }),
    url: oneOrMore(values, 'url'),
    route: oneOrMore(values, 'route'),
    tag: oneOrMore(values, 'tag'),
    all: flag(values, 'all') ?? false,
  };
}

async function warm(request: IncomingMessage, response: ServerResponse, backend: CacheBackend): Promise<void> {
  const values = await bodyOf(request, ['urls', 'headers', 'concurrency', 'timeoutMs'], MOST_WARM_BYTES);
  const [headers, concurrency, timeoutMs] = [
    fields(values),
    number(values, 'concurrency'),
    number(values, 'timeoutMs'),
  ];
  const input: WarmInput = {
    urls: oneOrMore(values, 'urls'),
    headers,
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
  const left = new AbortController();
  response.once('close', () => left.abort());
  const report = await backend.warm(input, left.signal);
  if (!left.signal.aborted) sendJson(response, 200, report);
}

/** A string, or a list of strings; empty if absent. */
function oneOrMore(values: Values, key: string): readonly string[] {
  const value = values[key] ?? [];
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.every((item) => typeof item === 'string')) return list;
  throw invalid(`\`${key}\` is a string or a list of strings.`);
}

function number(values: Values, key: string): number | undefined {
  const value = values[key];
  if (value === undefined || value === null || typeof value === 'number') return value ?? undefined;
  throw invalid(`\`${key}\` is a number.`);
}

function fields(values: Values): { readonly [name: string]: string } {
  const value = values['headers'] ?? {};
  if (typeof value === 'object' && !Array.isArray(value)) {
    const entries = Object.entries(value);
    if (entries.every(([, text]) => typeof text === 'string')) return Object.fromEntries(entries);
  }
  throw invalid('`headers` is an object whose values are strings.');
}
