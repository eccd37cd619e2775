/** What policies may know about the TLS of a connection. */
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';
import type { ClientCertificate, TlsFacts } from '../../../contract/index.js';
import { connectionCause } from '../../errors/cause.js';
import { type ClientRules, type Handshake, PresentedCertificate } from '../../exchange/client-certificate.js';

/** What the facts of a client certificate depend on besides its socket. */
export interface CertificateOwner {
  /** The present rules of the listener; undefined: clients are not asked for a certificate. */
  readonly clients: ClientRules | undefined;
}

/** Facts of a socket, read on first use: most exchanges do not need them. */
export class SocketTlsFacts implements TlsFacts {
  /** Undefined: the client was not asked for one. */
  readonly presented: PresentedCertificate | undefined;
  readonly #socket: TLSSocket;

  /** `authorities`: those that OpenSSL verified the handshake by; undefined: the client was not asked for a certificate. */
  constructor(socket: TLSSocket, owner: CertificateOwner, now: () => number, authorities: string | undefined) {
    this.#socket = socket;
    if (authorities !== undefined)
      this.presented = new PresentedCertificate(
        presentedBy(socket),
        () => owner.clients,
        now,
        handshakeOf(socket, authorities),
      );
  }

  get version(): string {
    return this.#socket.getProtocol() ?? '';
  }

  get cipher(): string {
    return this.#socket.getCipher()?.name ?? '';
  }

  get serverName(): string | undefined {
    // `false` for a client that sent no name.
    const name: unknown = this.#socket.servername;
    return typeof name === 'string' && name !== '' ? name : undefined;
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
