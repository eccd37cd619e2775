/** What policies may know about the TLS of a connection. */
import type { DetailedPeerCertificate, TLSSocket, Server as TlsServer } from 'node:tls';
import type { ClientCertificate, TlsFacts } from '../../../contract/index.js';
import { connectionCause } from '../../errors/cause.js';
import { type ClientRules, type Handshake, PresentedCertificate } from '../../exchange/client-certificate.js';

/** How the server of a listener asks its clients for a certificate. */
export interface CertificateRequest {
  /** Those that OpenSSL verifies handshakes by. */
  readonly authorities: string;
  readonly chains: PresentedChains;
}

/**
 * The certificates of each client, read when its handshake completes. Some versions of Node (24.21, 26.8) then drop the first
 * intermediate certificate, nodejs/node#65579: before it is lost, a listener of gw has to come before that of Node. The event
 * `keylog` is the only one that has the socket so early. Its line is a secret, and it is not read.
 */
export class PresentedChains {
  readonly #watched = new WeakSet<TLSSocket>();
  readonly #chains = new WeakMap<TLSSocket, readonly Buffer[]>();

  /** `server`: asks its clients for a certificate. */
  constructor(server: TlsServer) {
    server.on('keylog', (_line, socket) => {
      if (this.#watched.has(socket)) return;
      this.#watched.add(socket);
      socket.prependOnceListener('secure', () => this.#chains.set(socket, presentedBy(socket)));
    });
  }

  /** DER of what the client presented: its certificate first; empty for none. */
  of(socket: TLSSocket): readonly Buffer[] {
    return this.#chains.get(socket) ?? presentedBy(socket);
  }
}

/** What the facts of a client certificate depend on besides its socket. */
export interface CertificateJudge {
  /** The present rules for connections with this server name; undefined: clients are not asked for a certificate. */
  readonly clients: (serverName: string | undefined) => ClientRules | undefined;
  /** Wall clock, milliseconds since 1970. */
  readonly now: () => number;
}

/** Facts of a socket, read on first use: most exchanges do not need them. */
export class SocketTlsFacts implements TlsFacts {
  /** Undefined: the client was not asked for one. */
  readonly presented: PresentedCertificate | undefined;
  readonly serverName: string | undefined;
  readonly #socket: TLSSocket;

  /**
   * `asked`: how the client was asked for a certificate; undefined: it was not. `serverName`: as the client has sent it. Of a
   * session that TLS 1.2 has resumed, the socket does not know the name.
   */
  constructor(
    socket: TLSSocket,
    serverName: string | undefined,
    asked: CertificateRequest | undefined,
    { clients, now }: CertificateJudge,
  ) {
    this.#socket = socket;
    this.serverName = serverName;
    if (asked !== undefined)
      this.presented = new PresentedCertificate(
        asked.chains.of(socket),
        () => clients(serverName),
        now,
        handshakeOf(socket, asked.authorities),
      );
  }

  get version(): string {
    return this.#socket.getProtocol() ?? '';
  }

  get cipher(): string {
    return this.#socket.getCipher()?.name ?? '';
  }

  get protocol(): string | undefined {
    return this.#socket.alpnProtocol === false || this.#socket.alpnProtocol === null
      ? undefined
      : this.#socket.alpnProtocol;
  }

  get clientCertificate(): ClientCertificate | undefined {
    return this.presented?.facts;
  }
}

/** DER of what the client presented. Node links the certificates, and the last one to itself. */
function presentedBy(socket: TLSSocket): Buffer[] {
  const ders: Buffer[] = [];
  let one: Partial<DetailedPeerCertificate> | undefined = socket.getPeerCertificate(true);
  // An empty object if there is none.
  while (one?.raw !== undefined) {
    const { raw } = one;
    if (ders.some((der) => der.equals(raw))) break;
    ders.push(raw);
    one = one.issuerCertificate;
  }
  return ders;
}

/**
 * What OpenSSL found. gw issues no tickets where it asks for certificates: a resumed session would have the result of an earlier
 * handshake, so it does not count as verified.
 */
function handshakeOf(socket: TLSSocket, authorities: string): Handshake {
  if (socket.isSessionReused()) return { authorities, cause: 'resumed TLS session' };
  if (socket.authorized) return { authorities, cause: undefined };
  // The code, not an error as the types of Node say.
  const code = String(socket.authorizationError);
  return { authorities, cause: connectionCause(Object.assign(new Error(code), { code })) };
}
