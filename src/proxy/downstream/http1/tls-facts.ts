/** What policies may know about the TLS of a connection. */
import type { Socket } from 'node:net';
import { type PeerCertificate, TLSSocket } from 'node:tls';
import type { ClientCertificate, TlsFacts } from '../../../contract/index.js';

/** The facts of a connection with TLS; undefined for one without. */
export const tlsFactsOf = (socket: Socket): TlsFacts | undefined =>
  socket instanceof TLSSocket ? new SocketTlsFacts(socket) : undefined;

/** Facts of a socket, read on first use: most exchanges do not need them. */
class SocketTlsFacts implements TlsFacts {
  readonly #socket: TLSSocket;
  #certificate: ClientCertificate | null | undefined = undefined;

  constructor(socket: TLSSocket) {
    this.#socket = socket;
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
    if (this.#certificate === undefined) this.#certificate = this.#readCertificate() ?? null;
    return this.#certificate ?? undefined;
  }

  #readCertificate(): ClientCertificate | undefined {
    const certificate: PeerCertificate = this.#socket.getPeerCertificate();
    // An empty object if there is none.
    if (certificate.raw === undefined) return undefined;
    return {
      verified: this.#socket.authorized,
      subject: lines(certificate.subject),
      issuer: lines(certificate.issuer),
      subjectAltName: certificate.subjectaltname,
      fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
      serialNumber: certificate.serialNumber,
      notBefore: Date.parse(certificate.valid_from),
      notAfter: Date.parse(certificate.valid_to),
      raw: certificate.raw,
    };
  }
}

/** A distinguished name as OpenSSL prints it, one attribute a line: `C=DE`, `CN=a.example`. */
const lines = (name: object): string =>
  Object.entries(name)
    .flatMap(([key, value]) => [value].flat().map((one) => `${key}=${String(one)}`))
    .join('\n');
