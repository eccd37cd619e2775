/** A bound address and the connections that came by it. Lives across generations as long as one names it. */

import { createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type SecureContextOptions, type Server as TlsServer } from 'node:tls';
import { resolvedText } from '../../bundle/references.js';
import type { ListenerEntry } from '../../bundle/types.js';
import { INPUT_LIMITS, readInputText } from '../../input-file.js';
import { reasonOf } from '../../reason.js';
import { Counter } from '../../telemetry/stats/layout.js';
import type { Engine } from '../engine.js';
import { TrustedProxies } from '../exchange/peer.js';
import { type Door, TURNED_AWAY } from './admission.js';
import { IDLE_GRACE, WRITE_BUFFER } from './http1/client-socket.js';
import { Http1Connection } from './http1/connection.js';
import { listenerTls } from './tls.js';

const BACKLOG = 4096;
/** Idle connections that go at once when memory runs short. */
const SHRINK_LEAST = 64;

/** What a listener is made of in one generation, checked before anything changes. */
export interface ListenerSettings {
  readonly entry: ListenerEntry;
  readonly address: string;
  readonly proxies: TrustedProxies;
  readonly tls: SecureContextOptions | undefined;
  readonly slot: number;
}

export interface ListenManner {
  /** With SO_REUSEPORT: other workers bind the same address, and the kernel spreads connections among them. */
  readonly sharePort: boolean;
}

/** Reads certificates and addresses. Throws where one is missing or malformed. */
export function listenerSettings(entry: ListenerEntry, slot: number): ListenerSettings {
  const tls =
    entry.tls === undefined
      ? undefined
      : { ...listenerTls(entry.tls), cert: pem(resolvedText(entry.tls.cert)), key: pem(resolvedText(entry.tls.key)) };
  return { entry, address: resolvedText(entry.address), proxies: new TrustedProxies(entry.trustedProxies), tls, slot };
}

/** PEM text as it is; anything else is the path of a file that holds it. */
const pem = (text: string): string =>
  text.includes('-----BEGIN') ? text : readInputText(text, { maxBytes: INPUT_LIMITS.secret });

interface Handshake {
  readonly socket: Socket;
  readonly place: number;
  /** The place is its connection's now. */
  over: boolean;
}

export class Listener implements Door {
  entry: ListenerEntry;
  proxies: TrustedProxies;
  /** Takes no further exchange: each connection closes after the one it has. */
  closing = false;
  /** Requests that came as their idle connections were being closed. */
  raced = 0;
  readonly address: string;
  countedAs = '';
  /** Connections that the kernel has handed over. */
  accepted = 0;
  readonly #engine: Engine;
  readonly #server: Server;
  readonly #connections = new Set<Http1Connection>();
  /** Sockets that have not finished their TLS handshake, by their two ends: all that the secure socket shares with them. */
  readonly #handshakes = new Map<string, Handshake>();
  #tls: TlsServer | undefined;
  #pems = '';
  /** Made ready for an update that may yet be called off. */
  #nextTls: { readonly pems: string; readonly server: TlsServer } | undefined;
  #slot: number;
  /** Connections that came before the generation that they are for, or at the last call; undefined between the two. */
  #held: Socket[] | undefined = [];
  #opened = false;
  /** Monotonic milliseconds, once it is closing: until then idle connections may bring a request. */
  #idleUntil = 0;

  constructor(engine: Engine, settings: ListenerSettings) {
    this.#engine = engine;
    this.entry = settings.entry;
    this.proxies = settings.proxies;
    this.address = settings.address;
    this.#slot = settings.slot;
    this.#server = createServer({ noDelay: true, allowHalfOpen: true, highWaterMark: WRITE_BUFFER }, (socket) =>
      this.#onSocket(socket),
    );
    this.expect(settings);
    this.#applyTls(settings);
  }

  /** Binds; what connects waits for open(). Rejects when the address cannot be had. */
  async listen({ sharePort }: ListenManner): Promise<void> {
    const { host } = splitAddress(this.address);
    const { port } = this;
    // Node 20 knows no reusePort, and its types with it: control asks for it on later ones alone.
    const options: ListenOptions & { readonly reusePort?: boolean } = {
      port,
      backlog: BACKLOG,
      ...(host === '' ? {} : { host }),
      ...(sharePort ? { reusePort: true } : {}),
    };
    await new Promise<void>((resolve, reject) => {
      const settle = (done: () => void) => (): void => {
        this.#server.off('error', failed).off('listening', listening);
        done();
      };
      const listening = settle(resolve);
      const failed = (error: Error): void => settle(() => reject(error))();
      this.#server.once('error', failed).once('listening', listening).listen(options);
    });
    this.countedAs = this.bound;
    this.#server
      .removeAllListeners('error')
      .on('error', (error) =>
        this.#engine.log('error', 'listener failed', { listener: this.entry.name, cause: reasonOf(error) }),
      );
  }

  /** Gives up its address, which listen() binds again; the connections that it has go on. */
  release(): void {
    this.#server.close();
  }

  get listening(): boolean {
    return this.#server.listening;
  }

  /** The real one, once it has been bound. */
  get port(): number {
    return splitAddress(this.countedAs || this.address).port;
  }

  get secure(): boolean {
    return this.#tls !== undefined;
  }

  /** `host:port` with the real port. */
  get bound(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') return this.address;
    return address.family === 'IPv6' ? `[${address.address}]:${address.port}` : `${address.address}:${address.port}`;
  }

  /** The generation that it was bound for is live: serves what has connected meanwhile. */
  open(): void {
    this.#opened = true;
    this.#admitHeld();
  }

  /**
   * The last call, before stop(): what connects from now on waits for that. Otherwise those that are answered would
   * connect again, and there would always be somebody whom the kernel alone has let in, and resets.
   */
  hold(): void {
    this.#held ??= [];
  }

  /** How many wait. */
  get held(): number {
    return this.#held?.length ?? 0;
  }

  #admitHeld(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const socket of held) {
      if (!this.#opened) socket.destroy();
      else if (!socket.destroyed) this.#admit(socket);
    }
  }

  /** Makes ready what an update to these settings needs, so that it cannot fail. Throws where they cannot be had. */
  expect(settings: ListenerSettings): void {
    const pems = pemsOf(settings);
    const { tls } = settings;
    this.#nextTls =
      tls === undefined || pems === this.#pems ? undefined : { pems, server: this.#secure(settings, tls) };
  }

  /** A new generation's settings: they hold for connections and requests from now on. */
  update(settings: ListenerSettings): void {
    this.entry = settings.entry;
    this.proxies = settings.proxies;
    this.#slot = settings.slot;
    this.#applyTls(settings);
    this.#count();
  }

  #applyTls(settings: ListenerSettings): void {
    const pems = pemsOf(settings);
    const next = this.#nextTls;
    this.#nextTls = undefined;
    if (pems === this.#pems) return;
    this.#pems = pems;
    if (settings.tls === undefined) this.#tls = undefined;
    else this.#tls = next?.pems === pems ? next.server : this.#secure(settings, settings.tls);
  }

  #secure({ entry }: ListenerSettings, tls: SecureContextOptions): TlsServer {
    const server = createTlsServer(
      { ...tls, ALPNProtocols: ['http/1.1'], handshakeTimeout: entry.headerTimeout },
      (socket) => {
        const ends = endsOf(socket);
        const handshake = this.#handshakes.get(ends);
        // Given up in the meantime, and its place with it.
        if (handshake === undefined) socket.destroy();
        else {
          this.#handshakes.delete(ends);
          handshake.over = true;
          // As for those without TLS: a client may end its half behind its request.
          socket.allowHalfOpen = true;
          this.#onConnection(socket, 'https', handshake.place);
        }
      },
    );
    // A handshake that fails is the client's affair; only who speaks no TLS at all can be told so.
    server.on('tlsClientError', (error, socket) => {
      const handshake = this.#handshakes.get(endsOf(socket));
      // The failed handshake has let go of its socket: what is written to that now goes out as it is.
      if (handshake !== undefined && !handshake.socket.destroyed && 'code' in error && NO_TLS.has(String(error.code)))
        this.#engine.admission.refuse(
          handshake.socket,
          'request/cleartext',
          'no TLS handshake on a listener with tls',
          true,
        );
      socket.destroy();
    });
    return server;
  }

  #onSocket(socket: Socket): void {
    this.accepted++;
    if (this.#held !== undefined && !this.closing) {
      this.#hold(this.#held, socket);
      return;
    }
    if (this.#engine.generation === undefined || this.closing) socket.destroy();
    else this.#admit(socket);
  }

  #admit(socket: Socket): void {
    const place = this.#engine.admission.enter(this, socket);
    if (place === TURNED_AWAY) return;
    this.#engine.acceptBursts.accepted();
    const tls = this.#tls;
    if (tls === undefined) {
      this.#onConnection(socket, 'http', place);
      return;
    }
    const ends = endsOf(socket);
    const handshake: Handshake = { socket, place, over: false };
    this.#handshakes.set(ends, handshake);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      if (handshake.over) return;
      // Those that were reset before they were let in have no ends to tell them apart.
      if (this.#handshakes.get(ends) === handshake) this.#handshakes.delete(ends);
      this.#engine.admission.leave(this, place);
    });
    // Who ends its half in a handshake leaves nothing to wait for. The secure socket begins as this one is.
    socket.allowHalfOpen = false;
    if (socket.readableEnded) socket.destroy();
    else tls.emit('connection', socket);
  }

  #hold(held: Socket[], socket: Socket): void {
    socket.on('error', () => socket.destroy());
    if (held.length < this.entry.maxConnections) held.push(socket);
    else socket.destroy();
  }

  #onConnection(socket: Socket, scheme: 'http' | 'https', place: number): void {
    const connection = new Http1Connection(this.#engine, this, socket, scheme, place);
    this.#connections.add(connection);
    // Its handshake was under way when the listener stopped.
    if (this.closing) connection.retire(this.#engine.monotonic() + IDLE_GRACE);
    this.#count();
  }

  gone(connection: Http1Connection): void {
    if (!this.#connections.delete(connection)) return;
    this.#engine.admission.leave(this, connection.place);
    this.#count();
  }

  #count(): void {
    this.#engine.stats.set(this.#slot, Counter.Connections, this.#connections.size);
  }

  sweep(now: number): void {
    for (const connection of this.#connections) connection.sweep(now);
    if (!this.closing || now < this.#idleUntil) return;
    for (const { socket } of this.#handshakes.values()) if (socket.bytesRead === 0) socket.destroy();
  }

  /** Memory runs short: closes an eighth of the idle connections, those first that have been idle longest. */
  shrink(): void {
    const idle = [...this.#connections].filter((connection) => connection.idle);
    idle.sort((a, b) => a.idleUntil - b.idleUntil);
    for (const connection of idle.slice(0, Math.max(SHRINK_LEAST, Math.ceil(idle.length / 8)))) connection.close();
  }

  get empty(): boolean {
    return this.#connections.size + this.#handshakes.size === 0;
  }

  /**
   * Accepts no more. Busy connections close after their exchange, and idle ones, those that were held among them, after
   * a moment: a client may have sent a request that is on its way, and is told to close with the reply to it.
   */
  stop(): void {
    if (this.closing) return;
    this.closing = true;
    if (this.#server.listening) this.#server.close();
    this.#admitHeld();
    this.#idleUntil = this.#engine.monotonic() + IDLE_GRACE;
    for (const connection of this.#connections) connection.retire(this.#idleUntil);
  }

  /** Ends every connection. Returns how many exchanges were cut, and how many of them were tunnels. */
  cut(): { readonly cut: number; readonly tunnels: number } {
    for (const { socket } of this.#handshakes.values()) socket.destroy();
    let cut = 0;
    let tunnels = 0;
    for (const connection of [...this.#connections]) {
      if (connection.tunnelling) tunnels++;
      if (connection.cutNow()) cut++;
    }
    return { cut, tunnels };
  }
}

/** Differs whenever the TLS server must be another one. */
const pemsOf = ({ tls, entry }: ListenerSettings): string =>
  tls === undefined ? '' : `${entry.headerTimeout}\n${JSON.stringify(tls)}`;

/** What OpenSSL calls a first record that is none: a request in plain text, one to a proxy, anything else. */
const NO_TLS = new Set(['ERR_SSL_HTTP_REQUEST', 'ERR_SSL_HTTPS_PROXY_REQUEST', 'ERR_SSL_WRONG_VERSION_NUMBER']);

const endsOf = ({ localAddress, remoteAddress, remotePort }: Socket): string =>
  `${localAddress} ${remoteAddress} ${remotePort}`;

/** `host:port`, `[v6]:port`, `:port`. Throws for anything else. */
export function splitAddress(address: string): { host: string; port: number } {
  const found = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(address);
  const port = Number(found?.[3]);
  if (!found || port > 65_535) throw new Error(`Not an address to listen on: ${address}`);
  return { host: found[1] ?? found[2] ?? '', port };
}
