/**
 * The admin API without a gateway: serves the given data. As a program it simulates a shop with traffic:
 *
 *     node dist/test/dashboard/fake-gateway.js --directory DIR [--spec FILE] [--routes N] [--idle]
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { GatewayEntry } from '../../src/telemetry/admin-protocol.js';
import type { AdminEvent, ReloadSnapshot, RequestRecord, Snapshot } from '../../src/telemetry/snapshot.js';
import { seeded } from '../support/random.js';
import { record, routes, snapshot as sample } from './sample.js';

export interface FakeOptions {
  /** Runtime folder for the socket and its entry. */
  readonly directory?: string;
  readonly spec?: string;
  /** Process id in the entry; the process must be alive to be found. Default: this one. */
  readonly pid?: number;
  readonly snapshot?: Snapshot;
  /** Listen on TCP and require this token. */
  readonly token?: string;
}

export class FakeGateway {
  snapshot: Snapshot;
  /** The reply to POST /reload. */
  reloadAnswer: ReloadSnapshot;
  /** Queries of the event streams opened so far. */
  readonly watched: string[] = [];
  reloads = 0;
  readonly #server: Server;
  readonly #streams = new Set<{ readonly response: ServerResponse; readonly requests: boolean }>();
  readonly #token: string | undefined;
  #entryFile: string | undefined;
  #socket = '';
  #url = '';

  private constructor(options: FakeOptions) {
    const base = options.snapshot ?? sample();
    const spec = options.spec ?? base.gateway.spec;
    this.snapshot = { ...base, gateway: { ...base.gateway, spec, pid: options.pid ?? process.pid } };
    this.reloadAnswer = {
      at: Date.now(),
      outcome: 'live',
      generation: this.snapshot.generation.id + 1,
      summary: '+1 route, ~0 routes, -0 routes',
      tookMs: 12,
      diagnostics: '',
      errors: 0,
      warnings: 0,
    };
    this.#token = options.token;
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  static async start(options: FakeOptions): Promise<FakeGateway> {
    const gateway = new FakeGateway(options);
    await (options.directory === undefined ? gateway.#listenTcp() : gateway.#listen(options.directory));
    return gateway;
  }

  get socket(): string {
    return this.#socket;
  }

  get url(): string {
    return this.#url;
  }

  get streams(): number {
    return this.#streams.size;
  }

  async #listen(directory: string): Promise<void> {
    const { pid, spec, startedAt } = this.snapshot.gateway;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#socket = join(directory, `${pid}.sock`);
    rmSync(this.#socket, { force: true });
    await new Promise<void>((listening) => this.#server.listen(this.#socket, listening));
    const listeners = this.snapshot.listeners.map(({ address }) => address);
    const entry: GatewayEntry = { pid, spec, socket: this.#socket, startedAt, listeners };
    this.#entryFile = join(directory, `${pid}.json`);
    writeFileSync(this.#entryFile, JSON.stringify(entry));
  }

  async #listenTcp(): Promise<void> {
    await new Promise<void>((listening) => this.#server.listen(0, '127.0.0.1', listening));
    this.#url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Sends to every open stream; requests only to streams that asked for them. */
  emit(event: AdminEvent): void {
    const line = `${JSON.stringify(event)}\n`;
    for (const { response, requests } of this.#streams) {
      if (event.type !== 'requests' || requests) response.write(line);
    }
  }

  /** Sends raw bytes to every open stream. */
  emitRaw(bytes: string): void {
    for (const { response } of this.#streams) response.write(bytes);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams, search } = new URL(request.url ?? '/', 'http://gateway');
    if (this.#token !== undefined && request.headers.authorization !== `Bearer ${this.#token}`) {
      response.writeHead(401).end();
      return;
    }
    if (request.method === 'GET' && pathname === '/snapshot') {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(this.snapshot));
    } else if (request.method === 'GET' && pathname === '/events') {
      this.watched.push(search);
      response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      const stream = { response, requests: searchParams.get('requests') === '1' };
      this.#streams.add(stream);
      response.on('close', () => this.#streams.delete(stream));
      response.write(`${JSON.stringify({ type: 'snapshot', snapshot: this.snapshot })}\n`);
    } else if (request.method === 'POST' && pathname === '/reload') {
      this.reloads++;
      const status = this.reloadAnswer.outcome === 'live' ? 200 : 422;
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(this.reloadAnswer));
    } else {
      response.writeHead(404).end();
    }
  }

  async close(): Promise<void> {
    if (this.#entryFile) rmSync(this.#entryFile, { force: true });
    for (const { response } of this.#streams) response.destroy();
    this.#server.closeAllConnections();
    await new Promise<void>((closed) => this.#server.close(() => closed()));
  }
}

/** Simulates traffic: a new snapshot each second, requests in between. Returns a function that stops it. */
export function playTraffic(gateway: FakeGateway, routeCount: number): () => void {
  const random = seeded(Date.now() & 0xffff);
  let index = 0;
  const requests = setInterval(() => {
    const batch: RequestRecord[] = [];
    for (let left = Math.floor(random() * 6); left >= 0; left--) batch.push(record(index++, { at: Date.now() }));
    gateway.emit({ type: 'requests', requests: batch, dropped: 0 });
  }, 200);
  const seconds = setInterval(() => {
    const now = Date.now();
    const { traffic, gateway: about, generation, limits, targets } = gateway.snapshot;
    const rate = Math.max(0, Math.round(260 + 140 * Math.sin(now / 9_000) + 60 * random()));
    const bad = random() > 0.9 ? Math.ceil(random() * 8) : 0;
    gateway.snapshot = {
      ...gateway.snapshot,
      gateway: { ...about, now },
      generation: { ...generation, loadedAt: Math.min(generation.loadedAt, now) },
      traffic: {
        ...traffic,
        requests: traffic.requests + rate,
        errors: traffic.errors + bad,
        inFlight: Math.floor(random() * 12),
        requestsPerSecond: [...traffic.requestsPerSecond.slice(1), rate],
        errorsPerSecond: [...traffic.errorsPerSecond.slice(1), bad],
      },
      routes: routes(routeCount, random),
      limits: limits.map((limit) => ({
        ...limit,
        keys: limit.keys.map((key) => {
          const used = Math.max(0, Math.min(key.capacity, key.used + Math.round(random() * 10 - 5)));
          return { ...key, used, nextFreeMs: used >= key.capacity ? Math.round(random() * 600) : 0 };
        }),
      })),
      targets: targets.map((target) => ({ ...target, ejectedForMs: Math.max(0, target.ejectedForMs - 1_000) })),
    };
    gateway.emit({ type: 'snapshot', snapshot: gateway.snapshot });
  }, 1_000);
  return () => {
    clearInterval(requests);
    clearInterval(seconds);
  };
}

/** A gateway that has just started, without requests. */
export function idleSnapshot(now: number): Snapshot {
  const busy = sample({}, { now });
  const none = { p50: null, p95: null, p99: null };
  const zeros = new Array<number>(120).fill(0);
  return {
    ...busy,
    gateway: { ...busy.gateway, startedAt: now - 4_000 },
    generation: { ...busy.generation, id: 1, loadedAt: now - 4_000 },
    traffic: { requests: 0, errors: 0, inFlight: 0, requestsPerSecond: zeros, errorsPerSecond: zeros, latency: none },
    routes: busy.routes.map((own) => ({
      ...own,
      requests: 0,
      requestsPerSecond: 0,
      inFlight: 0,
      status: { '1xx': 0, '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0 },
      latency: none,
    })),
    limits: [],
    concurrency: [],
    consumers: { ...busy.consumers, declared: 0, shown: [], unknown: { ...busy.consumers.unknown, requests: 0 } },
    targets: [],
    reloads: [],
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      directory: { type: 'string' },
      spec: { type: 'string', default: '/srv/shop/gateway.toml' },
      routes: { type: 'string', default: '10' },
      idle: { type: 'boolean', default: false },
    },
  });
  const count = Number(values.routes);
  const now = Date.now();
  const gateway = await FakeGateway.start({
    directory: values.directory ?? '.',
    spec: values.spec.startsWith('/') ? values.spec : resolve(values.spec),
    snapshot: values.idle ? idleSnapshot(now) : sample({}, { routes: count, now }),
  });
  const stop = values.idle ? () => clearInterval(alive) : playTraffic(gateway, count);
  const alive = setInterval(() => {
    if (values.idle) gateway.emit({ type: 'snapshot', snapshot: gateway.snapshot });
  }, 1_000);
  process.stdout.write(`${gateway.socket}\n`);
  process.once('SIGUSR2', () => {
    // A good snapshot in the same batch would hide it.
    clearInterval(alive);
    stop();
    gateway.emitRaw(`${JSON.stringify({ type: 'snapshot', snapshot: { ...gateway.snapshot, routes: [null] } })}\n`);
  });
  process.once('SIGTERM', () => {
    clearInterval(alive);
    stop();
    void gateway.close();
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
