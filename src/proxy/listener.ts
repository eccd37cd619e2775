/** A bound address and the connections that came by it. Lives across generations as long as one names it. */

import { readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import type { ListenerPlan } from '../bundle/types.js';
import { Counter } from '../telemetry/stats-layout.js';
import type { Engine } from './engine.js';
import { Http1Connection } from './http/connection.js';
import { refusal } from './http/refusal.js';
import { TrustedProxies } from './peer.js';
import { plainText } from './upstream/registry.js';

const BACKLOG = 4096;
const WRITE_BUFFER = 64 * 1024;

/** What a listener is made of in one generation, checked before anything changes. */
export interface ListenerSettings {
  readonly plan: ListenerPlan;
  readonly address: string;
  readonly proxies: TrustedProxies;
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly slot: number;
}

/** Reads certificates and addresses. Throws where one is missing or malformed. */
export function listenerSettings(plan: ListenerPlan, slot: number): ListenerSettings {
  const tls =
    plan.tls === undefined ? undefined : { cert: pem(plainText(plan.tls.cert)), key: pem(plainText(plan.tls.key)) };
  return { plan, address: plainText(plan.address), proxies: new TrustedProxies(plan.trustedProxies), tls, slot };
}

/** PEM text as it is; anything else is the path of a file that holds it. */
const pem = (text: string): string => (text.includes('-----BEGIN') ? text : readFileSync(text, 'utf8'));

export class Listener {
  plan: ListenerPlan;
  proxies: TrustedProxies;
  /** Takes no further exchange: each connection closes after the one it has. */
  closing = false;
  readonly address: string;
  readonly #engine: Engine;
  readonly #server: Server;
  readonly #connections = new Set<Http1Connection>();
  /** Sockets that have not finished their TLS handshake, by their two ends: all that the secure socket shares with them. */
  readonly #handshakes = new Map<string, Socket>();
  #tls: TlsServer | undefined;
  #pems = '';
  #slot: number;

  constructor(engine: Engine, settings: ListenerSettings) {
    this.#engine = engine;
    this.plan = settings.plan;
    this.proxies = settings.proxies;
    this.address = settings.address;
    this.#slot = settings.slot;
    this.#server = createServer({ noDelay: true, allowHalfOpen: true, highWaterMark: WRITE_BUFFER }, (socket) =>
      this.#onSocket(socket),
    );
    this.#applyTls(settings);
  }

  /** Binds. Rejects when the address cannot be had. */
  async listen(): Promise<void> {
    const { host, port } = splitAddress(this.address);
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ port, backlog: BACKLOG, ...(host === '' ? {} : { host }) }, () => {
        this.#server.removeListener('error', reject);
        resolve();
      });
    });
    this.#server.on('error', (error) =>
      this.#engine.log('error', `A listener failed: ${error.message}`, { listener: this.plan.name }),
    );
  }

  /** `host:port` with the real port. */
  get bound(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') return this.address;
    return address.family === 'IPv6' ? `[${address.address}]:${address.port}` : `${address.address}:${address.port}`;
  }

  /** A new generation's settings: they hold for connections and requests from now on. */
  update(settings: ListenerSettings): void {
    this.plan = settings.plan;
    this.proxies = settings.proxies;
    this.#slot = settings.slot;
    this.#applyTls(settings);
    this.#count();
  }

  #applyTls({ tls, plan }: ListenerSettings): void {
    const pems = tls === undefined ? '' : `${plan.headerTimeout}\n${tls.cert}\n${tls.key}`;
    if (pems === this.#pems) return;
    this.#pems = pems;
    if (tls === undefined) {
      this.#tls = undefined;
      return;
    }
    const server = createTlsServer(
      { ...tls, ALPNProtocols: ['http/1.1'], handshakeTimeout: plan.headerTimeout, allowHalfOpen: true },
      (socket) => {
        this.#handshakes.delete(endsOf(socket));
        this.#onConnection(socket, 'https');
      },
    );
    // A handshake that fails is the client's affair; its socket is closed already.
    server.on('tlsClientError', (_error, socket) => socket.destroy());
    this.#tls = server;
  }

  #onSocket(socket: Socket): void {
    if (this.#engine.generation === undefined || this.closing) {
      socket.destroy();
      return;
    }
    if (this.#connections.size + this.#handshakes.size >= this.plan.maxConnections) {
      this.#turnAway(socket);
      return;
    }
    const tls = this.#tls;
    if (tls === undefined) {
      this.#onConnection(socket, 'http');
      return;
    }
    const ends = endsOf(socket);
    this.#handshakes.set(ends, socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      if (this.#handshakes.get(ends) === socket) this.#handshakes.delete(ends);
    });
    tls.emit('connection', socket);
  }

  #onConnection(socket: Socket, scheme: 'http' | 'https'): void {
    this.#connections.add(new Http1Connection(this.#engine, this, socket, scheme));
    this.#count();
  }

  #turnAway(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    const id = this.#engine.newId();
    if (this.#tls === undefined) socket.write(refusal('listener/full', id, this.#engine.dateLine), 'latin1');
    this.#engine.refused('listener/full', socket.remoteAddress ?? '', id);
    socket.destroySoon();
  }

  gone(connection: Http1Connection): void {
    if (this.#connections.delete(connection)) this.#count();
  }

  #count(): void {
    this.#engine.stats.set(this.#slot, Counter.Connections, this.#connections.size);
  }

  sweep(now: number): void {
    for (const connection of this.#connections) connection.sweep(now);
  }

  get empty(): boolean {
    return this.#connections.size === 0;
  }

  /** Accepts no more; idle connections close now, busy ones after their exchange. */
  stop(): void {
    if (this.closing) return;
    this.closing = true;
    if (this.#server.listening) this.#server.close();
    for (const socket of this.#handshakes.values()) socket.destroy();
    for (const connection of [...this.#connections]) connection.retire();
  }

  /** Whether some client has not taken all of its replies. */
  get unsent(): boolean {
    for (const connection of this.#connections) if (connection.unsent) return true;
    return false;
  }

  /** Ends every connection. Returns how many exchanges were cut. */
  cut(): number {
    let cut = 0;
    for (const connection of [...this.#connections]) if (connection.cutNow()) cut++;
    return cut;
  }
}

const endsOf = ({ localAddress, remoteAddress, remotePort }: Socket): string =>
  `${localAddress} ${remoteAddress} ${remotePort}`;

/** `host:port`, `[v6]:port`, `:port`. Throws for anything else. */
export function splitAddress(address: string): { host: string; port: number } {
  const found = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(address);
  const port = Number(found?.[3]);
  if (!found || port > 65_535) throw new Error(`Not an address to listen on: ${address}`);
  return { host: found[1] ?? found[2] ?? '', port };
}
