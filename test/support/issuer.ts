/** An issuer of tokens for tests: it serves metadata and a key set that the test rotates, slows down, spoils or takes away. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

interface Reply {
  readonly status: number;
  readonly body: string;
  readonly type?: string;
}

/** Answers a request with this body. */
export type Answer = (body: string, request: IncomingMessage) => Reply | Promise<Reply>;

export class Issuer {
  readonly #server: Server;
  readonly #keys: { readonly jwk: JWK; readonly privateKey: CryptoKey }[] = [];
  /** Key sets that were served. */
  served = 0;
  /** Milliseconds before each reply. */
  delay = 0;
  /** Instead of the key set; undefined: the key set. */
  reply: { readonly status: number; readonly body: string } | undefined;
  /** Metadata that was served, by path. */
  readonly asked: string[] = [];
  /** Paths with metadata. */
  metadataAt: readonly string[] = ['/.well-known/openid-configuration'];
  /** Members of the metadata, in place of the right ones. */
  metadata: { readonly [name: string]: unknown } = {};
  /** Further documents, by path: lists, answers of endpoints. */
  readonly documents = new Map<string, Answer>();
  headers: { readonly [name: string]: string } = { 'cache-control': 'max-age=300' };
  url = '';

  constructor() {
    this.#server = createServer((request, response) => {
      void this.#answer(request, response);
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    const found = await this.#find(path, request);
    const { status, body } = this.reply === undefined || path !== '/keys' ? found : this.reply;
    const { type = 'application/json' } = found;
    setTimeout(() => response.writeHead(status, { 'content-type': type, ...this.headers }).end(body), this.delay);
  }

  async #find(path: string, request: IncomingMessage): Promise<Reply> {
    if (path === '/keys') {
      this.served++;
      return { status: 200, body: JSON.stringify({ keys: this.#keys.map(({ jwk }) => jwk) }) };
    }
    if (path.includes('/.well-known/')) this.asked.push(path);
    if (this.metadataAt.includes(path)) {
      const right = { issuer: this.url, jwks_uri: `${this.url}/keys` };
      return { status: 200, body: JSON.stringify({ ...right, ...this.metadata }) };
    }
    const document = this.documents.get(path);
    if (document === undefined) return { status: 404, body: '' };
    const parts: Buffer[] = [];
    for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
    return document(Buffer.concat(parts).toString(), request);
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

  token(
    claims: { readonly [name: string]: unknown } = {},
    signedBy = this.#keys.length - 1,
    header: { readonly [name: string]: unknown } = {},
  ): Promise<string> {
    const { jwk, privateKey } = this.#keys[signedBy]!;
    return new SignJWT({ iss: this.url, aud: 'orders', sub: 'ann', ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: jwk.kid!, ...header })
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
