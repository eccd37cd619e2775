/** The TLS of a listener: takes admitted sockets, and hands on those whose handshake has succeeded. */
import { Socket } from 'node:net';
import { createServer, type TLSSocket, type TlsOptions, type Server as TlsServer } from 'node:tls';
import { reasonOf } from '../../../reason.js';
import type { ErrorSlug } from '../../errors/errors.js';
import type { ClientRules } from '../../exchange/client-certificate.js';
import type { TlsPolicyLookup } from '../../exchange/peer.js';
import { plainAddress } from '../../http/forwarded.js';
import type { Log } from '../../load/log.js';
import type { AcceptedConnection, Protocol } from '../connection/client-connection.js';
import { beginsHandshake, type ClientHello, plainName, readClientHello } from './client-hello.js';
import { type CertificateRequest, PresentedChains, SocketTlsFacts } from './facts.js';
import { certificateCause } from './options.js';
import { keyOf, TlsPolicies, type TlsSettings, type TlsSources } from './policies.js';

/** What the gate uses of the data plane. */
export interface GateHost {
  /** Wall clock, milliseconds since 1970. */
  now(): number;
  monotonic(): number;
  readonly log: Log;
  /** Of all listeners. */
  readonly tls: TlsSources;
  newId(): string;
  /** Counts and logs a refused handshake. */
  refused(error: ErrorSlug, cause: string, remote: string, id: string): void;
  readonly admission: {
    /** Counts and ends a connection, with a reply in clear text if `withReply`. */
    refuse(socket: Socket, error: ErrorSlug, cause: string, withReply: boolean, address: string): void;
  };
}

/** What the gate reports to its listener. */
export interface GateOwner {
  /** A handshake has succeeded: its connection has the place now. */
  begin(connection: AcceptedConnection): void;
  /** A socket has closed before its handshake succeeded: its place is free. */
  onLeft(place: number): void;
}

/** A socket during its handshake. */
class Handshake {
  /** It has succeeded: its connection has the place now. */
  over = false;
  hello: ClientHello | undefined = undefined;
  /** The begin of the first message, as long as it is incomplete. */
  #bytes: Buffer | undefined = undefined;
  #count = 0;
  /** Bytes that must be there before it is worth another look. */
  #needed = 0;

  constructor(
    readonly socket: Socket,
    readonly place: number,
    /** Of the client. */
    readonly address: string,
    /** Monotonic milliseconds at which it times out. */
    readonly deadline: number,
  ) {}

  /** Bytes of the first message that have come. */
  get received(): number {
    return this.#count;
  }

  /** Takes bytes of the first message. Returns all that have come once it is complete, or too long: then `hello` stays undefined. */
  take(bytes: Buffer): Buffer | undefined {
    let all = bytes;
    if (this.#bytes !== undefined) {
      // Grown by half at least: a client may send single bytes.
      if (this.#bytes.length < this.#count + bytes.length)
        this.#bytes = Buffer.concat([this.#bytes], Math.max(this.#needed, ((this.#count + bytes.length) * 3) >> 1));
      bytes.copy(this.#bytes, this.#count);
      all = this.#bytes.subarray(0, this.#count + bytes.length);
    }
    if (all.length >= this.#needed) {
      const found = readClientHello(all);
      if (typeof found !== 'number') {
        this.hello = found;
        this.#bytes = undefined;
        return all;
      }
      this.#needed = found;
    }
    this.#bytes ??= Buffer.from(bytes);
    this.#count = all.length;
    return undefined;
  }
}

export class TlsGate {
  readonly #host: GateHost;
  readonly #owner: GateOwner;
  /** Sockets during their handshake, by their two addresses: the only thing that the TLS socket shares with them. */
  readonly #handshakes = new Map<string, Handshake>();
  #policies: TlsPolicies | undefined = undefined;
  /** Prepared for an update that may still be aborted. */
  #next: TlsPolicies | undefined = undefined;
  /** Milliseconds for a handshake. */
  #timeout = 0;
  /** Handshakes without a certificate since the last line about them, and the monotonic time of the next one. */
  #missing = 0;
  #missingAt = 0;

  constructor(host: GateHost, owner: GateOwner) {
    this.#host = host;
    this.#owner = owner;
  }

  /** Whether the listener uses TLS. */
  get active(): boolean {
    return this.#policies !== undefined;
  }

  /** What requests are checked by; undefined: every request may be on every connection, and no certificate matters. */
  get policies(): TlsPolicyLookup | undefined {
    return this.#policies?.needed === true ? this.#policies : undefined;
  }

  /** Handshakes in progress. */
  get size(): number {
    return this.#handshakes.size;
  }

  /** Prepares update() with these settings, so that it cannot fail. Throws if they are invalid. */
  expect(settings: TlsSettings): void {
    this.#next = this.#prepared(settings);
  }

  /** Takes over the settings of a new generation, for handshakes from now on. */
  update(settings: TlsSettings): void {
    const next = this.#next;
    this.#next = undefined;
    this.#timeout = settings.entry.headerTimeout;
    this.#policies = next?.key === keyOf(settings) ? next : this.#prepared(settings);
  }

  #prepared(settings: TlsSettings): TlsPolicies | undefined {
    const { tls } = settings.entry;
    const before = this.#policies;
    if (tls === undefined || before?.key === keyOf(settings)) return tls && before;
    return new TlsPolicies(settings, tls, this.#host.tls, before?.rules ?? [], (options, rules, purpose) =>
      this.#create(options, rules, purpose),
    );
  }

  #create(options: TlsOptions, rules: ClientRules | undefined, purpose: 'requests' | 'challenge'): TlsServer {
    let asked: CertificateRequest | undefined;
    const server = createServer(options, (socket) => {
      // RFC 8737 section 3: the handshake itself is the answer.
      if (purpose === 'challenge') socket.end();
      else this.#onSecured(socket, asked);
    });
    server.on('tlsClientError', (error, socket) => this.#onFailed(error, socket));
    if (rules !== undefined) asked = { authorities: rules.authorities, chains: new PresentedChains(server) };
    return server;
  }

  /** Begins the handshake of an admitted socket. Only while active. */
  admit(socket: Socket, place: number, address: string): void {
    const ends = endsOf(socket);
    const handshake = new Handshake(socket, place, address, this.#host.monotonic() + this.#timeout);
    this.#handshakes.set(ends, handshake);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      if (handshake.over) return;
      // Sockets that were reset before they were accepted have no addresses to distinguish them.
      if (this.#handshakes.get(ends) === handshake) this.#handshakes.delete(ends);
      this.#owner.onLeft(place);
    });
    // A client that ends its half during the handshake cannot complete it. The TLS socket copies this setting.
    socket.allowHalfOpen = false;
    if (socket.readableEnded) {
      socket.destroy();
      return;
    }
    const onReadable = (): void => {
      const bytes: Buffer | null = socket.read();
      if (bytes !== null && this.#onBytes(handshake, bytes)) socket.off('readable', onReadable);
    };
    socket.on('readable', onReadable);
  }

  /** Bytes of the first message. Returns whether it is complete, or the connection refused. */
  #onBytes(handshake: Handshake, bytes: Buffer): boolean {
    const { socket } = handshake;
    if (handshake.received === 0 && !beginsHandshake(bytes)) {
      const cause = 'no TLS handshake on a listener with tls';
      this.#host.admission.refuse(socket, 'request/cleartext', cause, true, handshake.address);
      return true;
    }
    const all = handshake.take(bytes);
    if (all === undefined) return false;
    const { hello } = handshake;
    if (hello === undefined) {
      // Longer than any that a client sends.
      socket.destroy();
      return true;
    }
    const server = this.#serverFor(hello);
    if (server === undefined) {
      this.#logMissing(hello.serverName);
      socket.end(UNRECOGNIZED_NAME);
    } else {
      socket.unshift(all);
      server.emit('connection', socket);
    }
    return true;
  }

  /** A client decides which names it asks for: one line a minute, and the number of those in between. */
  #logMissing(serverName: string | undefined): void {
    const now = this.#host.monotonic();
    this.#missing++;
    if (now < this.#missingAt) return;
    this.#missingAt = now + MISSING_EVERY;
    const fields = { host: serverName ?? null, refused: this.#missing };
    this.#missing = 0;
    this.#host.log('warn', 'handshake refused, no certificate for its server name', fields);
  }

  /** Undefined: there is no certificate for the name. */
  #serverFor(hello: ClientHello): TlsServer | undefined {
    try {
      return this.#policies?.serverFor(hello, this.#host.monotonic());
    } catch (error) {
      // A supplied certificate. One of the spec is checked before a load.
      const fields = { name: hello.serverName, cause: reasonOf(error) };
      this.#host.log('error', 'supplied certificate is not valid', fields);
      return undefined;
    }
  }

  #onSecured(socket: TLSSocket, asked: CertificateRequest | undefined): void {
    const ends = endsOf(socket);
    const handshake = this.#handshakes.get(ends);
    const serverName = handshake?.hello?.serverName;
    // Its socket has closed in the meantime, and its place is free. Or OpenSSL has read another name than gw, by which the policy was chosen.
    if (handshake === undefined || !isSameName(socket, serverName)) {
      socket.destroy();
      return;
    }
    this.#handshakes.delete(ends);
    handshake.over = true;
    // As without TLS: a client may end its half after its request.
    socket.allowHalfOpen = true;
    const judge = {
      clients: (name: string | undefined): ClientRules | undefined => this.#policies?.of(name).clients,
      now: () => this.#host.now(),
    };
    const tls = new SocketTlsFacts(socket, serverName, asked, judge);
    // One of those that were offered.
    const protocol = tls.protocol as Protocol | undefined;
    this.#owner.begin({ socket, tls, protocol, place: handshake.place, address: handshake.address });
  }

  /** A failed handshake is the client's fault. It is logged if the client's certificate is the reason. */
  #onFailed(error: Error, socket: TLSSocket): void {
    const host = this.#host;
    const cause = certificateCause(error, socket);
    if (cause !== undefined) {
      const below = belowOf(socket);
      const address = this.#handshakes.get(endsOf(below))?.address ?? plainAddress(below.remoteAddress ?? '');
      host.refused('request/certificate', cause, address, host.newId());
    }
    socket.destroy();
  }

  /** Ends handshakes that take too long, however slowly their bytes come; called a few times a second. */
  sweep(now: number): void {
    for (const { socket, deadline } of this.#handshakes.values()) if (now >= deadline) socket.destroy();
    this.#policies?.prune();
  }

  /** The listener stops: closes connections that have sent nothing. */
  closeSilent(): void {
    for (const { socket } of this.#handshakes.values()) if (socket.bytesRead === 0) socket.destroy();
  }

  /** Ends all handshakes. */
  cut(): void {
    for (const { socket } of this.#handshakes.values()) socket.destroy();
  }
}

/** Milliseconds between two lines about handshakes without a certificate. */
const MISSING_EVERY = 60_000;

/** A fatal alert, RFC 6066 section 3. */
const UNRECOGNIZED_NAME = Buffer.from([21, 3, 3, 0, 2, 2, 112]);

/** Whether OpenSSL has read the same name. It does not know that of a session which TLS 1.2 has resumed, whose ticket belongs to the name. */
function isSameName(socket: TLSSocket, name: string | undefined): boolean {
  // `false` if it knows none.
  const read: unknown = socket.servername;
  if (typeof read === 'string') return plainName(read) === name;
  return name === undefined || socket.isSessionReused();
}

/** After a handshake that Node has ended, only the socket below still knows its addresses. */
function belowOf(socket: TLSSocket): Socket {
  const below: unknown = Reflect.get(socket, '_parent');
  return socket.remoteAddress === undefined && below instanceof Socket ? below : socket;
}

const endsOf = ({ localAddress, remoteAddress, remotePort }: Socket): string =>
  `${localAddress} ${remoteAddress} ${remotePort}`;
