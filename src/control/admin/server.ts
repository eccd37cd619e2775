/** The admin API over a unix socket and, if configured, TCP. Its calls are listed in telemetry/admin-protocol.ts. */
import { chmodSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { WatchLevel } from '../../proxy/types.js';
import { errnoCode, reasonOf } from '../../reason.js';
import type { ReloadSnapshot } from '../../telemetry/snapshot.js';
import type { Log } from '../log.js';
import { carriesToken, namesThisServer } from './auth.js';
import { answerCache, CACHE_CALLS, type CacheBackend } from './cache.js';
import { AdminConnections, adminBounds } from './connections.js';
import { answerConsumers, CONSUMER_CALLS, type ConsumersBackend } from './consumers.js';
import { EventHub, type EventSource, MAX_EVENT_CLIENTS } from './events.js';
import { sendJson, sendProblem, sendText } from './problem.js';

/** The gateway as the admin API sees it. */
export interface AdminBackend extends EventSource {
  /** Undefined: nothing to do. */
  reload(): Promise<ReloadSnapshot | undefined>;
  /** Why the gateway should get no traffic; undefined if it is ready. */
  notReady(): string | undefined;
  metrics(): Promise<{ readonly text: string; readonly contentType: string }>;
  readonly consumers: ConsumersBackend;
  readonly cache: CacheBackend;
}

export interface TcpAccess {
  readonly host: string;
  readonly port: number;
  readonly token: string;
  /** Further names for Host, in lower case. */
  readonly hosts: readonly string[];
}

interface Tcp {
  readonly server: Server;
  readonly access: TcpAccess;
}

/** A prepared change of the TCP address. */
export interface TcpChange {
  commit(): void;
  abandon(): Promise<void>;
}

type Guard = (request: IncomingMessage, path: string) => Parameters<typeof sendProblem>[1] | undefined;
type Endpoint = (response: ServerResponse, url: URL) => void | Promise<void>;

const HEALTH = new Set(['/livez', '/readyz']);

/** Milliseconds. By default Node checks for late heads and requests only every half minute. */
const BOUNDS = {
  headersTimeout: 5000,
  requestTimeout: 10_000,
  keepAliveTimeout: 5000,
  connectionsCheckingInterval: 500,
  maxHeaderSize: 16 * 1024,
};

export class AdminServer {
  readonly events: EventHub;
  readonly #backend: AdminBackend;
  readonly #log: Log;
  readonly #endpoints: ReadonlyMap<string, { readonly method: 'GET' | 'POST'; readonly run: Endpoint }>;
  readonly #retiring = new Set<Promise<unknown>>();
  #socket: Server | undefined;
  #tcp: Tcp | undefined;

  constructor(backend: AdminBackend, log: Log) {
    this.#backend = backend;
    this.#log = log;
    this.events = new EventHub(backend);
    this.#endpoints = new Map<string, { method: 'GET' | 'POST'; run: Endpoint }>([
      ['/snapshot', { method: 'GET', run: (response) => sendJson(response, 200, backend.snapshot()) }],
      ['/events', { method: 'GET', run: (response, url) => this.#stream(response, url) }],
      ['/reload', { method: 'POST', run: (response) => this.#reload(response) }],
      ['/livez', { method: 'GET', run: (response) => sendText(response, 200, 'ok\n') }],
      ['/readyz', { method: 'GET', run: (response) => this.#ready(response) }],
      ['/metrics', { method: 'GET', run: (response) => this.#metrics(response) }],
    ]);
  }

  /** The bound TCP address with its actual port; undefined if there is none. */
  get tcpAddress(): string | undefined {
    const address = this.#tcp?.server.address();
    return address && typeof address === 'object' ? formatAddress(address) : undefined;
  }

  /** Serves on a unix socket of mode 0600. Rejects when it cannot be bound. */
  async listenSocket(path: string): Promise<void> {
    const server = this.#create(() => undefined);
    await listening(server, () => server.listen(path), this.#log);
    chmodSync(path, 0o600);
    this.#socket = server;
  }

  /**
   * Prepares to serve on TCP in place of the previous address: binds a new address, which takes over on commit. Rejects and
   * keeps the previous address if it cannot be bound.
   */
  async prepareTcp(access: TcpAccess | undefined): Promise<TcpChange> {
    const before = this.#tcp;
    const kept = before && access && before.access.host === access.host && before.access.port === access.port;
    if (kept || !access) {
      return {
        abandon: async () => {},
        commit: () => {
          this.#tcp = kept ? { server: before.server, access } : undefined;
          if (!kept && before) this.#retire(before.server);
        },
      };
    }
    const server = this.#create((request, path) => this.#guardTcp(request, path));
    const handedOver = await this.#bindTcp(server, access, before);
    return {
      abandon: async () => {
        const done = closed(server);
        if (handedOver && before) await this.#listenTcp(before.server, before.access);
        await done;
      },
      commit: () => {
        this.#tcp = { server, access };
        if (before) this.#retire(before.server);
      },
    };
  }

  #listenTcp(server: Server, { host, port }: TcpAccess): Promise<void> {
    return listening(server, () => server.listen(port, host), this.#log);
  }

  /** Returns whether the previous server was closed for it, because both cannot listen on the port at once. */
  async #bindTcp(server: Server, access: TcpAccess, before: Tcp | undefined): Promise<boolean> {
    try {
      await this.#listenTcp(server, access);
      return false;
    } catch (error) {
      if (errnoCode(error) !== 'EADDRINUSE' || before?.access.port !== access.port) throw error;
    }
    before.server.close();
    try {
      await this.#listenTcp(server, access);
      return true;
    } catch (error) {
      await this.#listenTcp(before.server, before.access);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.events.close();
    await Promise.all([this.#socket, this.#tcp?.server].map((server) => server && closed(server)));
    await Promise.all(this.#retiring);
    this.#socket = undefined;
    this.#tcp = undefined;
  }

  /** The reload call that led here may wait for its reply on this server. */
  #retire(server: Server): void {
    const done: Promise<unknown> = closed(server).then(() => this.#retiring.delete(done));
    this.#retiring.add(done);
  }

  #create(guard: Guard): Server {
    const server = createServer(BOUNDS, (request, response) => {
      this.#handle(request, response, guard, connections);
    });
    const connections = new AdminConnections(server);
    return server;
  }

  #guardTcp(request: IncomingMessage, path: string): ReturnType<Guard> {
    const access = this.#tcp?.access;
    if (isOldCheck(request, path)) return undefined;
    if (!access || !namesThisServer(request, access)) {
      return {
        status: 421,
        code: 'admin/host',
        title: 'Unknown Host field',
        detail:
          'The Host field does not name this server: call it by its address, as localhost, or by a name of `admin.hosts`.',
      };
    }
    if (HEALTH.has(path) || carriesToken(request, access.token)) return undefined;
    return {
      status: 401,
      code: 'admin/token',
      title: 'Token required',
      detail: 'This call needs `Authorization: Bearer <token>` with the token of `[admin]`.',
      headers: { 'www-authenticate': 'Bearer realm="gw admin"' },
    };
  }

  #handle(request: IncomingMessage, response: ServerResponse, guard: Guard, connections: AdminConnections): void {
    const url = URL.canParse(request.url ?? '', 'http://gw') ? new URL(request.url ?? '', 'http://gw') : undefined;
    const path = url?.pathname ?? '';
    const refusal = guard(request, path);
    if (refusal) {
      request.resume();
      sendProblem(response, refusal);
      return;
    }
    if (!HEALTH.has(path) && !connections.hold(request, response)) {
      request.resume();
      sendProblem(response, TOO_MANY);
      return;
    }
    const answered =
      url &&
      (answerConsumers(request, response, url, this.#backend.consumers) ||
        answerCache(request, response, url, this.#backend.cache));
    if (answered) {
      answered.catch((error: unknown) => this.#failed(response, path, error));
      return;
    }
    // No other call reads a body; it is discarded so that keep-alive works.
    request.resume();
    const endpoint = this.#endpoints.get(path);
    if (!url || !endpoint) {
      const detail = `\`${path}\` does not exist. The admin API has ${[...this.#endpoints.keys()].join(', ')}, ${CONSUMER_CALLS}, ${CACHE_CALLS}.`;
      sendProblem(response, { status: 404, code: 'admin/unknown', title: 'Unknown admin call', detail });
      return;
    }
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    if (method !== endpoint.method) {
      const allow = endpoint.method === 'GET' ? 'GET, HEAD' : endpoint.method;
      const detail = `\`${path}\` accepts ${allow}, not ${request.method}.`;
      const problem = { status: 405, code: 'admin/method', title: 'Method not allowed', detail, headers: { allow } };
      sendProblem(response, problem);
      return;
    }
    Promise.resolve()
      .then(() => endpoint.run(response, url))
      .catch((error: unknown) => this.#failed(response, path, error));
  }

  #failed(response: ServerResponse, path: string, error: unknown): void {
    this.#log.error('admin API call failed', {
      path,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
    if (response.headersSent) response.destroy();
    else {
      const detail = 'This is a bug in gw. The log has the error.';
      sendProblem(response, { status: 500, code: 'admin/internal', title: 'Admin API failed', detail });
    }
  }

  #stream(response: ServerResponse, url: URL): void {
    const on = (name: string): boolean => ['1', 'true', ''].includes(url.searchParams.get(name) ?? 'no');
    const level: WatchLevel = on('decisions') ? 'decisions' : on('requests') ? 'records' : 'off';
    if (response.req.method === 'HEAD') {
      sendText(response, 200, '', 'application/x-ndjson');
    } else if (!this.events.add(response, level)) {
      sendProblem(response, {
        status: 503,
        code: 'admin/clients',
        title: 'Too many event streams',
        detail: `${MAX_EVENT_CLIENTS} clients read events already. Close one, or try again later.`,
        headers: { 'retry-after': '5' },
      });
    }
  }

  async #reload(response: ServerResponse): Promise<void> {
    const reload = await this.#backend.reload();
    if (reload) sendJson(response, reload.outcome === 'live' ? 200 : 422, reload);
    else {
      const detail = 'The gateway is stopping and does not reload.';
      sendProblem(response, { status: 503, code: 'admin/ending', title: 'Gateway stopping', detail });
    }
  }

  #ready(response: ServerResponse): void {
    const reason = this.#backend.notReady();
    sendText(response, reason === undefined ? 200 : 503, `${reason ?? 'ok'}\n`);
  }

  async #metrics(response: ServerResponse): Promise<void> {
    const { text, contentType } = await this.#backend.metrics();
    sendText(response, 200, text, contentType);
  }
}

const TOO_MANY = {
  status: 503,
  code: 'admin/clients',
  title: 'Too many admin calls',
  detail: `${adminBounds().held} calls are in progress already. Try again later.`,
  headers: { 'retry-after': '5' },
};

/** A health check with HTTP/1.0 and without Host, as some load balancers send it. Its reply has no secret. */
const isOldCheck = ({ httpVersion, headers }: IncomingMessage, path: string): boolean =>
  HEALTH.has(path) && httpVersion === '1.0' && headers.host === undefined;

export function formatAddress({ address, port, family }: AddressInfo): string {
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
}

function listening(server: Server, listen: () => void, log: Log): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => {
      server.off('listening', bound);
      reject(error);
    };
    const bound = (): void => {
      server.off('error', failed);
      server
        .removeAllListeners('error')
        .on('error', (error) => log.warn('admin server error', { cause: reasonOf(error) }));
      resolve();
    };
    server.once('error', failed).once('listening', bound);
    listen();
  });
}

/** Waits for replies in progress, not for idle keep-alive connections. */
function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
    setTimeout(() => server.closeAllConnections(), 500).unref();
  });
}
