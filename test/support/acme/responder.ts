/** Answers challenges as workers do: HTTP-01 on one port, TLS-ALPN-01 on another. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createSecureContext, createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import type { AcmeSupply } from '../../../src/control/acme/index.js';
import type { ChallengePorts } from './validation.js';

export class Responder {
  /** What was supplied last. */
  supply: AcmeSupply = { certificates: [], challenges: [], tokens: [] };
  /** How often something was supplied. */
  supplies = 0;
  readonly #http: Server = createServer(({ url = '' }, reply) => {
    const found = this.supply.tokens.find(({ token }) => url === `/.well-known/acme-challenge/${token}`);
    reply.writeHead(found === undefined ? 404 : 200).end(found?.answer);
  });
  readonly #tls: TlsServer = createTlsServer({
    ALPNProtocols: ['acme-tls/1'],
    SNICallback: (name, done) => {
      const found = this.supply.challenges.find(({ names }) => names.includes(name));
      if (found === undefined) done(new Error('no challenge for this name'));
      else done(null, createSecureContext({ cert: found.cert, key: found.key }));
    },
  });

  async open(ports: ChallengePorts): Promise<void> {
    this.#tls.on('tlsClientError', () => {});
    this.#tls.on('secureConnection', (socket) => socket.on('error', () => {}));
    await new Promise<void>((resolve) => this.#http.listen(0, '127.0.0.1', resolve));
    await new Promise<void>((resolve) => this.#tls.listen(0, '127.0.0.1', resolve));
    ports.http = (this.#http.address() as AddressInfo).port;
    ports.tls = (this.#tls.address() as AddressInfo).port;
  }

  readonly take = async (supply: AcmeSupply): Promise<void> => {
    this.supply = supply;
    this.supplies++;
  };

  close(): void {
    this.#http.close();
    this.#http.closeAllConnections();
    this.#tls.close();
  }
}
