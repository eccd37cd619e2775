/** The TLS of a listener: takes admitted sockets, and hands on those whose handshake has succeeded. */
import { Socket } from 'node:net';
import { createServer, type TLSSocket, type TlsOptions, type Server as TlsServer } from 'node:tls';
import type { ListenerEntry } from '../../../bundle/types.js';
import type { ErrorSlug } from '../../errors/errors.js';
import type { ClientRules } from '../../exchange/client-certificate.js';
import { plainAddress } from '../../http/forwarded.js';
import type { AcceptedConnection, Protocol } from '../connection/client-connection.js';
import { type CertificateOwner, type CertificateRequest, PresentedChains, SocketTlsFacts } from './facts.js';
import { certificateCause, clientRules } from './options.js';

/** What the gate uses of the data plane. */
export interface GateHost {
  /** Wall clock, milliseconds since 1970. */
  now(): number;
  newId(): string;
  /** Counts and logs a refused handshake. */
  refused(error: ErrorSlug, cause: string, remote: string, id: string): void;
  readonly admission: {
    /** Counts and ends a connection, with a reply in clear text if `withReply`. */
    refuse(socket: Socket, error: ErrorSlug, cause: string, withReply: boolean): void;
  };
}

/** What the gate reports to its listener. */
export interface GateOwner {
  /** A handshake has succeeded: its connection has the place now. */
  begin(connection: AcceptedConnection): void;
  /** A socket has closed before its handshake succeeded: its place is free. */
  onLeft(place: number): void;
}

/** TLS of a listener in one generation; undefined `options`: it uses none. */
export interface GateSettings {
  readonly entry: ListenerEntry;
  readonly options: TlsOptions | undefined;
  /** Offered by ALPN, in order of preference. */
  readonly protocols: readonly Protocol[];
}

interface Handshake {
  readonly socket: Socket;
  readonly place: number;
  /** It has succeeded: its connection has the place now. */
  over: boolean;
}

export class TlsGate implements CertificateOwner {
  /** Which client certificates it accepts; undefined: it asks for none. */
  clients: ClientRules | undefined = undefined;
  readonly #host: GateHost;
  readonly #owner: GateOwner;
  /** Sockets during their handshake, by their two addresses: the only thing that the TLS socket shares with them. */
  readonly #handshakes = new Map<string, Handshake>();
  #server: TlsServer | undefined;
  /** Of the settings in use: it differs if others need another server. */
  #key = '';
  /** Prepared for an update that may still be aborted. */
  #next: { readonly key: string; readonly server: TlsServer } | undefined;
  #nextClients: ClientRules | undefined;

  constructor(host: GateHost, owner: GateOwner) {
    this.#host = host;
    this.#owner = owner;
  }

  /** Whether the listener uses TLS. */
  get active(): boolean {
    return this.#server !== undefined;
  }

  /** Handshakes in progress. */
  get size(): number {
    return this.#handshakes.size;
  }

  /** Prepares update() with these settings, so that it cannot fail. Throws if they are invalid. */
  expect(settings: GateSettings): void {
    const key = keyOf(settings);
    const { options, entry } = settings;
    this.#nextClients = clientRules(entry.tls?.client, this.clients);
    this.#next =
      options === undefined || key === this.#key ? undefined : { key, server: this.#create(settings, options) };
  }

  /** Takes over the settings of a new generation, for handshakes from now on. */
  update(settings: GateSettings): void {
    const key = keyOf(settings);
    const next = this.#next;
    this.#next = undefined;
    this.clients = clientRules(settings.entry.tls?.client, this.#nextClients);
    if (key === this.#key) return;
    this.#key = key;
    if (settings.options === undefined) this.#server = undefined;
    else this.#server = next?.key === key ? next.server : this.#create(settings, settings.options);
  }

  #create({ entry, protocols }: GateSettings, options: TlsOptions): TlsServer {
    const authorities = clientRules(entry.tls?.client, this.#nextClients)?.authorities;
    let asked: CertificateRequest | undefined;
    const server = createServer(
      { ...options, ALPNProtocols: [...protocols], handshakeTimeout: entry.headerTimeout },
      (socket) => this.#onSecured(socket, asked),
    );
    server.on('tlsClientError', (error, socket) => this.#onFailed(error, socket));
    if (authorities !== undefined) asked = { authorities, chains: new PresentedChains(server) };
    return server;
  }

  /** Begins the handshake of an admitted socket. Only while active. */
  admit(socket: Socket, place: number): void {
    const ends = endsOf(socket);
    const handshake: Handshake = { socket, place, over: false };
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
    if (socket.readableEnded) socket.destroy();
    else this.#server?.emit('connection', socket);
  }

  #onSecured(socket: TLSSocket, asked: CertificateRequest | undefined): void {
    const ends = endsOf(socket);
    const handshake = this.#handshakes.get(ends);
    // Its socket has closed in the meantime, and its place is free.
    if (handshake === undefined) {
      socket.destroy();
      return;
    }
    this.#handshakes.delete(ends);
    handshake.over = true;
    // As without TLS: a client may end its half after its request.
    socket.allowHalfOpen = true;
    const tls = new SocketTlsFacts(socket, this, () => this.#host.now(), asked);
    // One of those that were offered.
    const protocol = tls.protocol as Protocol | undefined;
    this.#owner.begin({ socket, tls, protocol, place: handshake.place });
  }

  /** A failed handshake is the client's fault; only a client without TLS can get a reply. */
  #onFailed(error: Error, socket: TLSSocket): void {
    const host = this.#host;
    const handshake = this.#handshakes.get(endsOf(socket));
    // The failed handshake has released its socket: writes to it go out unencrypted.
    if (handshake !== undefined && !handshake.socket.destroyed && 'code' in error && NO_TLS.has(String(error.code)))
      host.admission.refuse(handshake.socket, 'request/cleartext', 'no TLS handshake on a listener with tls', true);
    const cause = certificateCause(error, socket);
    if (cause !== undefined) host.refused('request/certificate', cause, plainAddress(addressOf(socket)), host.newId());
    socket.destroy();
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

const keyOf = ({ options, entry, protocols }: GateSettings): string =>
  options === undefined ? '' : `${entry.headerTimeout} ${protocols.join()}\n${JSON.stringify(options)}`;

/** OpenSSL's codes for a first record that is not TLS: a plain-text request, a request to a proxy, anything else. */
const NO_TLS = new Set(['ERR_SSL_HTTP_REQUEST', 'ERR_SSL_HTTPS_PROXY_REQUEST', 'ERR_SSL_WRONG_VERSION_NUMBER']);

/** Of the client. After a handshake that Node has ended, only the socket below still knows its address. */
function addressOf(socket: TLSSocket): string {
  const below: unknown = Reflect.get(socket, '_parent');
  return socket.remoteAddress ?? (below instanceof Socket ? below.remoteAddress : undefined) ?? '';
}

const endsOf = ({ localAddress, remoteAddress, remotePort }: Socket): string =>
  `${localAddress} ${remoteAddress} ${remotePort}`;
