/** An issuer of tokens for tests: it serves a key set that the test rotates, slows down, spoils or takes away. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

export class Issuer {
  readonly #server: Server;
  readonly #keys: { readonly jwk: JWK; readonly privateKey: CryptoKey }[] = [];
  /** Key sets that were served. */
  served = 0;
  /** Milliseconds before each reply. */
  delay = 0;
  /** Instead of the key set; undefined: the key set. */
  reply: { readonly status: number; readonly body: string } | undefined;
  headers: { readonly [name: string]: string } = { 'cache-control': 'max-age=300' };
  url = '';

  constructor() {
    this.#server = createServer((request, response) => {
      if (request.url !== '/keys') {
        response.writeHead(404).end();
        return;
      }
      this.served++;
      const { status, body } = this.reply ?? {
        status: 200,
        body: JSON.stringify({ keys: this.#keys.map(({ jwk }) => jwk) }),
      };
      setTimeout(() => response.writeHead(status, { ...this.headers }).end(body), this.delay);
    });
  }

  static async start(): Promise<Issuer> {
    const issuer = new Issuer();
    await issuer.rotate();
    await issuer.listen(0);
    return issuer;
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** A new key, which signs from now on. The key set has the last two. */
  async rotate(): Promise<void> {
    const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
    const jwk = { ...(await exportJWK(publicKey)), kid: `key-${this.#keys.length + 1}`, use: 'sig', alg: 'ES256' };
    this.#keys.push({ jwk, privateKey });
    if (this.#keys.length > 2) this.#keys.shift();
  }

  token(claims: { readonly [name: string]: unknown } = {}, signedBy = this.#keys.length - 1): Promise<string> {
    const { jwk, privateKey } = this.#keys[signedBy]!;
    return new SignJWT({ iss: this.url, aud: 'orders', sub: 'ann', ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: jwk.kid! })
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(privateKey);
  }

  /** The issuer is down: connections are refused until listen(). */
  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
