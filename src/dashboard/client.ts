/** A client of one gateway's admin API (telemetry/admin-protocol.ts). */
import { type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { errnoCode, messageOf, reasonOf } from '../reason.js';
import type {
  CacheStats,
  ListInput,
  PurgeInput,
  PurgeReport,
  StoredReplies,
  WarmInput,
  WarmReport,
} from '../telemetry/cache-calls.js';
import { type AdminEvent, type ReloadSnapshot, SNAPSHOT_VERSION, type Snapshot } from '../telemetry/snapshot.js';
import { type Address, showAddress, TOKEN_VARIABLE } from './address.js';
import { LineReader } from './ndjson.js';

/** Why a call failed; the message is for the user. */
export class AdminError extends Error {
  constructor(
    readonly reason: 'unreachable' | 'unauthorized' | 'refused' | 'invalid' | 'protocol' | 'timeout',
    message: string,
  ) {
    super(message);
  }
}

export interface AdminClientOptions {
  /** Milliseconds for a snapshot and for an answer's head. Default 5,000. */
  readonly timeoutMs?: number;
  /** Milliseconds for a reload, which compiles. Default 120,000. */
  readonly reloadTimeoutMs?: number;
  /** Longest line of the event stream and longest answer, in bytes. Default 64 MiB: a snapshot of 100,000 routes. */
  readonly maxBytes?: number;
}

/** How much of requests is in the event stream. */
export type WatchRequests = 'off' | 'records' | 'decisions';

/** Warnings are for other programs: `gw dash` shows what they are about. */
export type ShownEvent = Exclude<AdminEvent, { readonly type: 'warning' }>;

export interface EventHandlers {
  /** The gateway accepted the call; events follow. */
  open(): void;
  event(event: ShownEvent): void;
  /** The stream has ended, by anything but close(). Called once. */
  end(error: AdminError): void;
}

export interface EventStream {
  /** Ends the stream; no handler is called any more. */
  close(): void;
}

/** Milliseconds for a call that requests many URLs: longer than the gateway takes for one. */
const WARM_TIMEOUT_MS = 450_000;

const WATCH_QUERY: Readonly<Record<WatchRequests, string>> = {
  off: '',
  records: '?requests=1',
  decisions: '?requests=1&decisions=1',
};

export class AdminClient {
  readonly #timeoutMs: number;
  readonly #reloadTimeoutMs: number;
  readonly #maxBytes: number;

  constructor(
    readonly address: Address,
    options: AdminClientOptions = {},
  ) {
    this.#timeoutMs = options.timeoutMs ?? 5_000;
    this.#reloadTimeoutMs = options.reloadTimeoutMs ?? 120_000;
    this.#maxBytes = options.maxBytes ?? 64 * 1024 * 1024;
  }

  /** The state right now. Throws AdminError. */
  async snapshot(): Promise<Snapshot> {
    const { status, body } = await this.#call('GET', '/snapshot', this.#timeoutMs);
    if (status !== 200) throw this.#unexpected(status, body);
    return checkSnapshot(parseJson(body));
  }

  /** Compiles the spec anew and loads it; a rejected spec is an answer too. Throws AdminError. */
  async reload(): Promise<ReloadSnapshot> {
    const { status, body } = await this.#call('POST', '/reload', this.#reloadTimeoutMs);
    if (status !== 200 && status !== 422) throw this.#unexpected(status, body);
    return checkReload(parseJson(body));
  }

  /** What the caches hold and did. Throws AdminError. */
  async cacheStats(): Promise<CacheStats> {
    return (await this.#ofCache('GET', '/cache', this.#timeoutMs)) as CacheStats;
  }

  /** What the caches have stored. Throws AdminError. */
  async storedReplies(input: ListInput): Promise<StoredReplies> {
    return (await this.#ofCache('POST', '/cache/list', this.#reloadTimeoutMs, input)) as StoredReplies;
  }

  /** Purges caches; all workers use the change then. Throws AdminError. */
  async purge(input: PurgeInput): Promise<PurgeReport> {
    return (await this.#ofCache('POST', '/cache/purge', this.#reloadTimeoutMs, input)) as PurgeReport;
  }

  /** Lets the gateway request URLs. Throws AdminError. */
  async warm(input: WarmInput): Promise<WarmReport> {
    return (await this.#ofCache('POST', '/cache/warm', WARM_TIMEOUT_MS, input)) as WarmReport;
  }

  async #ofCache(method: string, path: string, timeoutMs: number, input?: object): Promise<{ readonly version: 1 }> {
    const { status, body } = await this.#call(method, path, timeoutMs, input);
    if (status !== 200) throw this.#unexpected(status, body);
    const value = parseJson(body);
    if (!isObject(value) || value['version'] !== 1)
      throw new AdminError('protocol', 'the reply of the gateway has another version: use the same gw for both');
    return value as { version: 1 };
  }

  /** Opens the event stream. */
  events(watch: WatchRequests, handlers: EventHandlers): EventStream {
    let over = false;
    const request = this.#request('GET', `/events${WATCH_QUERY[watch]}`);
    const end = (error: AdminError): void => {
      if (over) return;
      over = true;
      request.destroy();
      handlers.end(error);
    };
    request.setTimeout(this.#timeoutMs, () => end(this.#timeout()));
    request.on('error', (error) => end(this.#unreachable(error)));
    request.on('response', (response) => {
      request.setTimeout(0);
      if (response.statusCode !== 200) return end(this.#unexpected(response.statusCode ?? 0));
      const reader = new LineReader(this.#maxBytes);
      handlers.open();
      response.on('data', (chunk: Buffer) => {
        try {
          for (const line of reader.push(chunk)) if (!over) deliver(line, handlers);
        } catch (error) {
          end(error instanceof AdminError ? error : new AdminError('protocol', messageOf(error)));
        }
      });
      const closed = (): void => end(new AdminError('unreachable', 'the gateway closed the connection'));
      response.on('end', closed);
      response.on('error', closed);
      response.on('close', closed);
    });
    request.end();
    return {
      close: () => {
        over = true;
        request.destroy();
      },
    };
  }

  #request(method: string, path: string, body = ''): ClientRequest {
    const headers: Record<string, string> = { accept: 'application/json' };
    if (method === 'POST') headers['content-length'] = String(Buffer.byteLength(body));
    if (body !== '') headers['content-type'] = 'application/json';
    // One connection a call: an agent's idle sockets would outlive the gateway that they belong to.
    const options: RequestOptions = { method, path, headers, agent: false };
    if (this.address.kind === 'socket') return httpRequest({ ...options, socketPath: this.address.path });
    const { url, token } = this.address;
    if (token) headers['authorization'] = `Bearer ${token}`;
    const prefixed = { ...options, path: url.pathname.replace(/\/$/, '') + path };
    return (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, prefixed);
  }

  #call(method: string, path: string, timeoutMs: number, input?: object): Promise<{ status: number; body: string }> {
    const sent = input === undefined ? '' : JSON.stringify(input);
    return new Promise((resolve, reject) => {
      const request = this.#request(method, path, sent);
      const deadline = setTimeout(() => fail(this.#timeout()), timeoutMs);
      const fail = (error: AdminError): void => {
        clearTimeout(deadline);
        request.destroy();
        reject(error);
      };
      request.on('error', (error) => fail(this.#unreachable(error)));
      request.on('response', (response) => {
        collect(response, this.#maxBytes).then(
          (body) => {
            clearTimeout(deadline);
            resolve({ status: response.statusCode ?? 0, body });
          },
          (error) => fail(error instanceof AdminError ? error : this.#unreachable(error)),
        );
      });
      request.end(sent);
    });
  }

  #unexpected(status: number, body = ''): AdminError {
    if (status === 401 || status === 403) {
      const token = this.address.kind === 'tcp' && this.address.token !== undefined;
      const what = token ? `refused the token in ${TOKEN_VARIABLE}` : `requires a token: set ${TOKEN_VARIABLE}`;
      return new AdminError('unauthorized', `the admin API at ${showAddress(this.address)} ${what}`);
    }
    const { detail, code } = problemOf(body);
    return new AdminError(
      status === 422 || code === 'admin/unknown-name' ? 'invalid' : 'refused',
      detail ?? `the admin API at ${showAddress(this.address)} answered with status ${status}`,
    );
  }

  #timeout(): AdminError {
    return new AdminError('timeout', `the admin API at ${showAddress(this.address)} does not answer`);
  }

  #unreachable(error: unknown): AdminError {
    const code = errnoCode(error);
    const where = showAddress(this.address);
    if (code === 'ENOENT') return new AdminError('unreachable', `there is no socket at ${where}`);
    if (code === 'ECONNREFUSED') return new AdminError('unreachable', `connection refused at ${where}`);
    if (code === 'EACCES')
      return new AdminError('unauthorized', `permission denied for ${where}: it belongs to another user`);
    return new AdminError('unreachable', `the connection to ${where} broke: ${reasonOf(error)}`);
  }
}

/** `detail` and `code` of a problem document (RFC 9457). */
function problemOf(body: string): { readonly detail?: string; readonly code?: string } {
  try {
    const value: unknown = JSON.parse(body);
    if (!isObject(value)) return {};
    const { detail, code } = value;
    return { ...(typeof detail === 'string' ? { detail } : {}), ...(typeof code === 'string' ? { code } : {}) };
  } catch {
    return {};
  }
}

async function collect(response: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw new AdminError('protocol', `the admin API sent more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new AdminError('protocol', 'the reply is not from a gateway: it is not JSON');
  }
}

function deliver(line: string, handlers: EventHandlers): void {
  const value = parseJson(line);
  if (!isObject(value)) throw new AdminError('protocol', 'an event is not an object');
  if (value['type'] === 'snapshot') {
    handlers.event({ type: 'snapshot', snapshot: checkSnapshot(value['snapshot']) });
  } else if (value['type'] === 'reload') {
    handlers.event({ type: 'reload', reload: checkReload(value['reload']) });
  } else if (value['type'] === 'requests' && Array.isArray(value['requests'])) {
    handlers.event(value as ShownEvent & { type: 'requests' });
  }
  // Warnings are not shown. Events of an unknown type come from a newer gw, and are ignored.
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The version decides what the fields are; beyond it only what a reply of another program would lack is checked. */
function checkSnapshot(value: unknown): Snapshot {
  if (!isObject(value) || typeof value['version'] !== 'number') {
    throw new AdminError('protocol', 'the reply is not from a gateway: it is not a snapshot');
  }
  if (value['version'] !== SNAPSHOT_VERSION) {
    throw new AdminError(
      'protocol',
      `the gateway sends snapshot version ${value['version']}, this gw reads version ${SNAPSHOT_VERSION}: use the same gw for both`,
    );
  }
  const lists = ['listeners', 'routes', 'limits', 'targets', 'reloads'];
  const whole =
    isObject(value['gateway']) &&
    isObject(value['generation']) &&
    isObject(value['traffic']) &&
    lists.every((name) => Array.isArray(value[name]));
  if (!whole) throw new AdminError('protocol', 'the snapshot of the gateway is incomplete');
  // An older gateway sends fewer lists.
  return { duties: [], concurrency: [], consumers: NO_CONSUMERS, ...(value as { version: number }) } as {
    version: number;
  } as Snapshot;
}

const NO_CONSUMERS: Snapshot['consumers'] = {
  declared: 0,
  shown: [],
  unknown: { requests: 0, requestsPerSecond: 0, refused: {}, lastSeen: null },
};

function checkReload(value: unknown): ReloadSnapshot {
  if (!isObject(value) || (value['outcome'] !== 'live' && value['outcome'] !== 'rejected')) {
    throw new AdminError('protocol', 'the reply of the gateway does not describe the reload');
  }
  return value as { outcome: string } as ReloadSnapshot;
}
