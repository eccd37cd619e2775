/** A bound address and its connections. Lives across generations while one of them names it. */

import { createServer, type ListenOptions, type Server, Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type TlsOptions, type Server as TlsServer } from 'node:tls';
import { resolvedText } from '../../bundle/references.js';
import type { ListenerEntry } from '../../bundle/types.js';
import { reasonOf } from '../../reason.js';
import { Counter } from '../../telemetry/stats/layout.js';
import type { StatsWriter } from '../../telemetry/stats/writer.js';
import type { ClientRules } from '../exchange/client-certificate.js';
import type { GwExchange } from '../exchange/exchange.js';
import { TrustedProxies } from '../exchange/peer.js';
import { plainAddress } from '../http/forwarded.js';
import type { AcceptBursts } from '../load/accept-bursts.js';
import type { Log } from '../load/log.js';
import { type Admission, type AdmittingListener, REJECTED } from './admission.js';
import { Http1Connection } from './http1/connection.js';
import { IDLE_GRACE, WRITE_BUFFER } from './http1/connection-state.js';
import type { ConnectionHost, ConnectionOwner } from './http1/host.js';
import { type CertificateRequest, PresentedChains, SocketTlsFacts } from './http1/tls-facts.js';
import { certificateCause, clientRules, tlsOptions } from './tls.js';

const BACKLOG = 4096;
/** Fewest idle connections that are closed at once when memory is low. */
const SHRINK_LEAST = 64;

/** What listeners use of the data plane. */
export interface ListenerHost extends ConnectionHost {
  readonly admission: Admission;
  readonly acceptBursts: AcceptBursts;
  readonly stats: StatsWriter;
  readonly log: Log;
}

/** The settings of a listener in one generation, validated before anything changes. */
export interface ListenerSettings {
  readonly entry: ListenerEntry;
  readonly address: string;
  readonly proxies: TrustedProxies;
  readonly tls: TlsOptions | undefined;
  readonly slot: number;
}

export interface BindOptions {
  /** SO_REUSEPORT: other workers bind the same address, and the kernel distributes connections among them. */
  readonly sharePort: boolean;
}

/** Reads certificates and addresses. Throws if one is missing or malformed. */
export function listenerSettings(entry: ListenerEntry, slot: number): ListenerSettings {
  const tls = entry.tls === undefined ? undefined : tlsOptions(entry.tls);
  return { entry, address: resolvedText(entry.address), proxies: new TrustedProxies(entry.trustedProxies), tls, slot };
}

interface Handshake {
  readonly socket: Socket;
  readonly place: number;
  /** It has succeeded: its connection has the place now. */
  over: boolean;
}

export class Listener implements AdmittingListener, ConnectionOwner {
  entry: ListenerEntry;
  proxies: TrustedProxies;
  /** It takes no new exchanges: connections close after their exchange. */
  closing = false;
  /** Which client certificates it accepts; undefined: it asks for none. */
  clients: ClientRules | undefined = undefined;
  /** Requests that came while their idle connections were being closed. */
  raced = 0;
  readonly address: string;
  countedAs = '';
  /** Accepted connections. */
  accepted = 0;
  readonly #host: ListenerHost;
  readonly #server: Server;
  readonly #connections = new Set<Http1Connection>();
  /** Sockets during their TLS handshake, by their two addresses: the only thing that the TLS socket shares with them. */
  readonly #handshakes = new Map<string, Handshake>();
  #tls: TlsServer | undefined;
  #pems = '';
  /** Prepared for an update that may still be aborted. */
  #nextTls: { readonly pems: string; readonly server: TlsServer } | undefined;
  #nextClients: ClientRules | undefined;
  #slot: number;
  /** Connections that came before open() or after hold(); undefined in between. */
  #held: Socket[] | undefined = [];
  #opened = false;
  /** When it is closing: until this monotonic time, idle connections may bring a request. */
  #idleUntil = 0;

  constructor(host: ListenerHost, settings: ListenerSettings) {
    this.#host = host;
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

  /** Binds; connections wait for open(). Rejects if the address cannot be bound. */
  async listen({ sharePort }: BindOptions): Promise<void> {
    const { host } = splitAddress(this.address);
    const { port } = this;
    // Node 20 and its types have no reusePort: control sets it on later versions only.
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
        this.#host.log('error', 'listener failed', { listener: this.entry.name, cause: reasonOf(error) }),
      );
  }

  /** Releases the address, which listen() binds again; existing connections continue. */
  release(): void {
    this.#server.close();
  }

  get listening(): boolean {
    return this.#server.listening;
  }

  /** The real port, once it is bound. */
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

  /** Its generation is live: serves the connections that came meanwhile. */
  open(): void {
    this.#opened = true;
    this.#admitHeld();
  }

  /**
   * Before stop(): new connections wait for it. If they were served, their clients would connect again, and there would always
   * be connections in the kernel's queue, which closing the socket resets.
   */
  hold(): void {
    this.#held ??= [];
  }

  #admitHeld(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const socket of held) {
      if (!this.#opened) socket.destroy();
      else if (!socket.destroyed) this.#admit(socket);
    }
  }

  /** Prepares update() with these settings, so that it cannot fail. Throws if they are invalid. */
  expect(settings: ListenerSettings): void {
    const pems = pemsOf(settings);
    const { tls } = settings;
    this.#nextClients = clientRules(settings.entry.tls?.client, this.clients);
    this.#nextTls =
      tls === undefined || pems === this.#pems ? undefined : { pems, server: this.#secure(settings, tls) };
  }

  /** Takes over a new generation's settings, for connections and requests from now on. */
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
    this.clients = clientRules(settings.entry.tls?.client, this.#nextClients);
    if (pems === this.#pems) return;
    this.#pems = pems;
    if (settings.tls === undefined) this.#tls = undefined;
    else this.#tls = next?.pems === pems ? next.server : this.#secure(settings, settings.tls);
  }

  #secure({ entry }: ListenerSettings, tls: TlsOptions): TlsServer {
    const authorities = clientRules(entry.tls?.client, this.#nextClients)?.authorities;
    let asked: CertificateRequest | undefined;
    const server = createTlsServer(
      { ...tls, ALPNProtocols: ['http/1.1'], handshakeTimeout: entry.headerTimeout },
      (socket) => {
        const ends = endsOf(socket);
        const handshake = this.#handshakes.get(ends);
        // Its socket has closed in the meantime, and its place is free.
        if (handshake === undefined) socket.destroy();
        else {
          this.#handshakes.delete(ends);
          handshake.over = true;
          // As without TLS: a client may end its half after its request.
          socket.allowHalfOpen = true;
          const facts = new SocketTlsFacts(socket, this, () => this.#host.now(), asked);
          this.#onConnection(socket, facts, handshake.place);
        }
      },
    );
    server.on('tlsClientError', (error, socket) => this.#onFailedHandshake(error, socket));
    if (authorities !== undefined) asked = { authorities, chains: new PresentedChains(server) };
    return server;
  }

  /** A failed handshake is the client's fault; only a client without TLS can get a reply. */
  #onFailedHandshake(error: Error, socket: TLSSocket): void {
    const handshake = this.#handshakes.get(endsOf(socket));
    // The failed handshake has released its socket: writes to it go out unencrypted.
    if (handshake !== undefined && !handshake.socket.destroyed && 'code' in error && NO_TLS.has(String(error.code)))
      this.#host.admission.refuse(
        handshake.socket,
        'request/cleartext',
        'no TLS handshake on a listener with tls',
        true,
      );
    const cause = certificateCause(error, socket);
    if (cause !== undefined)
      this.#host.refused('request/certificate', cause, plainAddress(addressOf(socket)), this.#host.newId());
    socket.destroy();
  }

  #onSocket(socket: Socket): void {
    this.accepted++;
    if (this.#held !== undefined && !this.closing) {
      this.#hold(this.#held, socket);
      return;
    }
    if (this.#host.generation === undefined || this.closing) socket.destroy();
    else this.#admit(socket);
  }

  #admit(socket: Socket): void {
    // Its client has reset it before it was accepted. What came with it would be served to no address, past all rules for addresses.
    if (socket.remoteAddress === undefined) {
      socket.destroy();
      return;
    }
    const place = this.#host.admission.enter(this, socket);
    if (place === REJECTED) return;
    this.#host.acceptBursts.accepted();
    const tls = this.#tls;
    if (tls === undefined) {
      this.#onConnection(socket, undefined, place);
      return;
    }
    const ends = endsOf(socket);
    const handshake: Handshake = { socket, place, over: false };
    this.#handshakes.set(ends, handshake);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      if (handshake.over) return;
      // Sockets that were reset before they were accepted have no addresses to distinguish them.
      if (this.#handshakes.get(ends) === handshake) this.#handshakes.delete(ends);
      this.#host.admission.leave(this, place);
    });
    // A client that ends its half during the handshake cannot complete it. The TLS socket copies this setting.
    socket.allowHalfOpen = false;
    if (socket.readableEnded) socket.destroy();
    else tls.emit('connection', socket);
  }

  #hold(held: Socket[], socket: Socket): void {
    socket.on('error', () => socket.destroy());
    if (held.length < this.entry.maxConnections) held.push(socket);
    else socket.destroy();
  }

  #onConnection(socket: Socket, tls: SocketTlsFacts | undefined, place: number): void {
    const connection = new Http1Connection(this.#host, this, socket, tls, place);
    this.#connections.add(connection);
    // The listener stopped during the handshake.
    if (this.closing) connection.retire(this.#host.monotonic() + IDLE_GRACE);
    this.#count();
  }

  gone(connection: Http1Connection): void {
    if (!this.#connections.delete(connection)) return;
    this.#host.admission.leave(this, connection.place);
    this.#count();
  }

  #count(): void {
    this.#host.stats.set(this.#slot, Counter.Connections, this.#connections.size);
  }

  sweep(now: number): void {
    for (const connection of this.#connections) connection.sweep(now);
    if (!this.closing || now < this.#idleUntil) return;
    for (const { socket } of this.#handshakes.values()) if (socket.bytesRead === 0) socket.destroy();
  }

  /** The exchanges in progress, also tunnels. */
  *exchanges(): Generator<GwExchange> {
    for (const { exchange } of this.#connections) if (exchange !== undefined) yield exchange;
  }

  /** Memory is low: closes an eighth of the idle connections, the longest idle first. */
  shrink(): void {
    const idle = [...this.#connections].filter((connection) => connection.idle);
    idle.sort((a, b) => a.idleUntil - b.idleUntil);
    for (const connection of idle.slice(0, Math.max(SHRINK_LEAST, Math.ceil(idle.length / 8)))) connection.close();
  }

  get empty(): boolean {
    return this.#connections.size + this.#handshakes.size === 0;
  }

  /**
   * Stops accepting. Busy connections close after their exchange; idle and held ones after IDLE_GRACE, since a request may be
   * on its way: its reply then announces the close.
   */
  stop(): void {
    if (this.closing) return;
    this.closing = true;
    if (this.#server.listening) this.#server.close();
    this.#admitHeld();
    this.#idleUntil = this.#host.monotonic() + IDLE_GRACE;
    for (const connection of this.#connections) connection.retire(this.#idleUntil);
  }

  /** Closes all connections. Returns the number of exchanges that were cut, and how many of them were tunnels. */
  cut(): { readonly cut: number; readonly tunnels: number } {
    for (const { socket } of this.#handshakes.values()) socket.destroy();
    let cut = 0;
    let tunnels = 0;
    for (const connection of [...this.#connections]) {
      const what = connection.cutNow();
      if (what === 'tunnel') tunnels++;
      if (what !== undefined) cut++;
    }
    return { cut, tunnels };
  }
}

/** Differs if the settings need another TLS server. */
const pemsOf = ({ tls, entry }: ListenerSettings): string =>
  tls === undefined ? '' : `${entry.headerTimeout}\n${JSON.stringify(tls)}`;

/** OpenSSL's codes for a first record that is not TLS: a plain-text request, a request to a proxy, anything else. */
const NO_TLS = new Set(['ERR_SSL_HTTP_REQUEST', 'ERR_SSL_HTTPS_PROXY_REQUEST', 'ERR_SSL_WRONG_VERSION_NUMBER']);

/** Of the client. After a handshake that Node has ended, only the socket below still knows its address. */
function addressOf(socket: TLSSocket): string {
  const below: unknown = Reflect.get(socket, '_parent');
  return socket.remoteAddress ?? (below instanceof Socket ? below.remoteAddress : undefined) ?? '';
}

const endsOf = ({ localAddress, remoteAddress, remotePort }: Socket): string =>
  `${localAddress} ${remoteAddress} ${remotePort}`;

/** Splits `host:port`, `[v6]:port` or `:port`. Throws for anything else. */
export function splitAddress(address: string): { host: string; port: number } {
  const found = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(address);
  const port = Number(found?.[3]);
  if (!found || port > 65_535) throw new Error(`Not an address to listen on: ${address}`);
  return { host: found[1] ?? found[2] ?? '', port };
}
