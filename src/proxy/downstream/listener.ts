/** A bound address and its connections. Lives across generations while one of them names it. */

import { createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import type { ListenerEntry } from '../../bundle/types.js';
import { errnoCode, reasonOf } from '../../reason.js';
import { Counter } from '../../telemetry/stats/layout.js';
import type { StatsWriter } from '../../telemetry/stats/writer.js';
import type { GwExchange } from '../exchange/exchange.js';
import type { ListenerFront, TlsPolicyLookup, TrustedProxies } from '../exchange/peer.js';
import { plainAddress } from '../http/forwarded.js';
import type { AcceptBursts } from '../load/accept-bursts.js';
import type { Log } from '../load/log.js';
import { splitAddress } from './address.js';
import { type Admission, type AdmittingListener, REJECTED } from './admission.js';
import type {
  AcceptedConnection,
  ClientConnection,
  ClientSocket,
  CutCount,
  Protocol,
} from './connection/client-connection.js';
import type { ConnectionHost, ConnectionOwner } from './connection/host.js';
import { Http2Switch } from './connection/preface.js';
import { IDLE_GRACE, WRITE_BUFFER } from './http1/connection-state.js';
import { continueWithHttp2, openConnection } from './protocols.js';
import { ProxiedGate, type ProxiedOwner } from './proxied/gate.js';
import type { ListenerSettings } from './settings.js';
import { type GateOwner, TlsGate } from './tls/gate.js';
import type { TlsSources } from './tls/policies.js';
import { permit, removeStale, unixPath } from './unix-socket.js';

const BACKLOG = 4096;
/** Of a unix socket: its user and group may connect. */
const DEFAULT_MODE = 0o660;
/** Fewest idle connections that are closed at once when memory is low. */
const SHRINK_LEAST = 64;

/** What listeners use of the data plane. */
export interface ListenerHost extends ConnectionHost {
  readonly admission: Admission;
  readonly acceptBursts: AcceptBursts;
  readonly stats: StatsWriter;
  readonly tls: TlsSources;
  /** Answers to open challenges of ACME HTTP-01, by token. */
  readonly tokens: ReadonlyMap<string, string>;
  readonly log: Log;
}

export interface BindOptions {
  /** SO_REUSEPORT: other workers bind the same address, and the kernel distributes connections among them. */
  readonly sharePort: boolean;
}

export class Listener implements AdmittingListener, ConnectionOwner, GateOwner, ProxiedOwner {
  entry: ListenerEntry;
  proxies: TrustedProxies;
  protocols: readonly Protocol[];
  /** It takes no new exchanges: connections close after their exchange. */
  closing = false;
  /** Requests that came while their idle connections were being closed. */
  raced = 0;
  readonly address: string;
  countedAs = '';
  /** Accepted connections. */
  accepted = 0;
  readonly #host: ListenerHost;
  readonly #server: Server;
  readonly #connections = new Set<ClientConnection>();
  readonly #proxied: ProxiedGate;
  readonly #gate: TlsGate;
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
    this.protocols = settings.protocols;
    this.address = settings.address;
    this.#slot = settings.slot;
    this.#server = createServer({ noDelay: true, allowHalfOpen: true, highWaterMark: WRITE_BUFFER }, (socket) =>
      this.#onSocket(socket),
    );
    this.#warnOfLeaks(settings);
    this.#proxied = new ProxiedGate(host, this);
    this.#gate = new TlsGate(host, this);
    this.#gate.expect(settings);
    this.#gate.update(settings);
  }

  #warnOfLeaks({ entry, protocols, node }: ListenerSettings): void {
    if (protocols.includes('h2') || entry.protocols?.includes('h2') === false) return;
    const message = 'HTTP/2 is off: this release of Node leaks memory with it (CVE-2026-21714)';
    this.#host.log('warn', message, { listener: entry.name, node });
  }

  /** Binds; connections wait for open(). Rejects if the address cannot be bound. */
  async listen({ sharePort }: BindOptions): Promise<void> {
    const path = unixPath(this.address);
    if (path !== undefined) {
      await this.#listenAt(path);
      return;
    }
    const { host } = splitAddress(this.address);
    const { port } = this;
    // Node 20 and its types have no reusePort: control sets it on later versions only.
    const options: ListenOptions & { readonly reusePort?: boolean } = {
      port,
      backlog: BACKLOG,
      ...(host === '' ? {} : { host }),
      ...(sharePort ? { reusePort: true } : {}),
    };
    await this.#bind(options);
    this.#bound();
  }

  async #listenAt(path: string): Promise<void> {
    try {
      await this.#bind({ path, backlog: BACKLOG });
    } catch (error) {
      if (errnoCode(error) !== 'EADDRINUSE' || !(await removeStale(path))) throw error;
      await this.#bind({ path, backlog: BACKLOG });
    }
    await permit(path, this.entry.socketMode ?? DEFAULT_MODE);
    this.#bound();
  }

  async #bind(options: ListenOptions): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const settle = (done: () => void) => (): void => {
        this.#server.off('error', failed).off('listening', listening);
        done();
      };
      const listening = settle(resolve);
      const failed = (error: Error): void => settle(() => reject(error))();
      this.#server.once('error', failed).once('listening', listening).listen(options);
    });
  }

  #bound(): void {
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

  get #unix(): boolean {
    return unixPath(this.address) !== undefined;
  }

  /** The real port, once it is bound; -1 of a unix socket. */
  get port(): number {
    return this.#unix ? -1 : splitAddress(this.countedAs || this.address).port;
  }

  get secure(): boolean {
    return this.#gate.active;
  }

  get policies(): TlsPolicyLookup | undefined {
    return this.#gate.policies;
  }

  /** What it answers itself; undefined: every request goes to a route. */
  get front(): ListenerFront | undefined {
    const { redirect } = this.entry;
    const { tokens } = this.#host;
    if (redirect === undefined && tokens.size === 0) return undefined;
    return this.#gate.active ? undefined : { redirect, tokens };
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
    this.#gate.expect(settings);
  }

  /** Takes over a new generation's settings, for connections and requests from now on. */
  update(settings: ListenerSettings): void {
    this.entry = settings.entry;
    this.proxies = settings.proxies;
    if (this.protocols.includes('h2')) this.#warnOfLeaks(settings);
    this.protocols = settings.protocols;
    this.#slot = settings.slot;
    this.#gate.update(settings);
    this.#count();
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
    if (socket.remoteAddress === undefined && !this.#unix) {
      socket.destroy();
      return;
    }
    const place = this.#host.admission.enter(this, socket);
    if (place === REJECTED) return;
    this.#host.acceptBursts.accepted();
    // Clients of a unix socket have none.
    const address = plainAddress(socket.remoteAddress ?? '');
    if (this.entry.proxyProtocol === true) this.#proxied.admit(socket, place, this.#unix || this.proxies.has(address));
    else this.#secure(socket, place, address);
  }

  #secure(socket: Socket, place: number, address: string): void {
    if (this.#gate.active) this.#gate.admit(socket, place, address);
    else this.begin({ socket, tls: undefined, protocol: undefined, place, address });
  }

  proxied(socket: Socket, place: number, address: string): void {
    const moved = this.#host.admission.move(this, place, socket, address);
    if (moved !== REJECTED) this.#secure(socket, moved, address);
  }

  #hold(held: Socket[], socket: Socket): void {
    socket.on('error', () => socket.destroy());
    if (held.length < this.entry.maxConnections) held.push(socket);
    else socket.destroy();
  }

  /** A connection can begin: after its handshake, if the listener uses TLS. */
  begin(accepted: AcceptedConnection): void {
    const connection = openConnection(this.#host, this, accepted);
    this.#connections.add(connection);
    // The listener stopped during the handshake.
    if (this.closing) connection.retire(this.#host.monotonic() + IDLE_GRACE);
    this.#count();
  }

  switchOf(from: ClientConnection, client: ClientSocket): Http2Switch | undefined {
    if (!this.protocols.includes('h2')) return undefined;
    return new Http2Switch((first) => {
      const to = continueWithHttp2(this.#host, this, from.place, client);
      this.#connections.delete(from);
      this.#connections.add(to);
      if (this.closing) to.retire(this.#host.monotonic() + IDLE_GRACE);
      client.events.onBytes(first, first.length, false);
    });
  }

  onLeft(place: number): void {
    this.#host.admission.leave(this, place);
  }

  gone(connection: ClientConnection): void {
    if (!this.#connections.delete(connection)) return;
    this.#host.admission.leave(this, connection.place);
    this.#count();
  }

  #count(): void {
    this.#host.stats.set(this.#slot, Counter.Connections, this.#connections.size);
  }

  sweep(now: number): void {
    for (const connection of this.#connections) connection.sweep(now);
    this.#gate.sweep(now);
    this.#proxied.sweep(now);
    if (!this.closing || now < this.#idleUntil) return;
    this.#proxied.closeSilent();
    this.#gate.closeSilent();
  }

  /** The exchanges in progress, also tunnels. */
  *exchanges(): Generator<GwExchange> {
    for (const connection of this.#connections) yield* connection.exchanges();
  }

  /** Memory is low: closes an eighth of the idle connections, the longest idle first. */
  shrink(): void {
    const idle = [...this.#connections].filter((connection) => connection.idle);
    idle.sort((a, b) => a.idleUntil - b.idleUntil);
    for (const connection of idle.slice(0, Math.max(SHRINK_LEAST, Math.ceil(idle.length / 8)))) connection.close();
  }

  get empty(): boolean {
    return this.#connections.size + this.#gate.size + this.#proxied.size === 0;
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

  /** Closes all connections. Returns what was cut. */
  cut(): Readonly<CutCount> {
    this.#proxied.cut();
    this.#gate.cut();
    const count: CutCount = { cut: 0, tunnels: 0 };
    for (const connection of [...this.#connections]) connection.cutNow(count);
    return count;
  }
}
