/**
 * An ACME server for tests: RFC 8555 with accounts, orders, authorizations and challenges that it validates over real sockets,
 * renewal information (RFC 9773), and an authority of its own. It is strict: what a client must not do gets an error.
 */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { AcmeAuthority, type IssuedCertificate } from './authority.js';
import { AcmeBook } from './book.js';
import { readSigned } from './jws.js';
import { AcmeFailure, type AcmeReply } from './problem.js';
import type { ChallengePorts } from './validation.js';

export interface AcmeServerOptions {
  /** The clock of its certificates, milliseconds since 1970. */
  readonly now?: () => number;
  /** Serve HTTPS, with a certificate of the authority for `localhost`. */
  readonly https?: boolean;
}

export class AcmeServer {
  readonly authority = new AcmeAuthority();
  readonly ports: ChallengePorts = { http: 0, tls: 0 };
  readonly book: AcmeBook;
  /** Resources of the signed requests in order: `newOrder`, `authorization` ... */
  readonly requests: string[] = [];
  /** Answers each request instead, while it is set. */
  outage: ((reply: ServerResponse) => void) | undefined;
  /** Answers wait for it. */
  hold: Promise<void> = Promise.resolve();
  /** So many of the next signed requests have a nonce that is not good. */
  badNonces = 0;
  /** Refuses the next orders. */
  limit: { readonly detail: string; readonly retryAfter?: string } | undefined;
  /** Renewal information: false: the directory has none. */
  renewalInfo = true;
  /** Seconds. */
  renewalRetryAfter = 21_600;
  #server: Server | undefined;
  readonly #nonces = new Set<string>();
  readonly #now: () => number;
  readonly #https: boolean;
  #url = '';

  constructor({ now = Date.now, https = false }: AcmeServerOptions = {}) {
    this.#now = now;
    this.#https = https;
    this.book = new AcmeBook(this.authority, this.ports, now, () => this.#url);
  }

  /** Resolves with the URL of the directory. */
  async open(): Promise<string> {
    const answer = (request: IncomingMessage, reply: ServerResponse): void => void this.#answer(request, reply);
    const server = this.#https
      ? createHttpsServer(this.authority.issueNew(['localhost'], Date.now() - 60_000, Date.now() + 3_600_000), answer)
      : createServer(answer);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.#server = server;
    const { port } = server.address() as AddressInfo;
    this.#url = `${this.#https ? 'https://localhost' : 'http://127.0.0.1'}:${port}`;
    return `${this.#url}/directory`;
  }

  close(): void {
    this.#server?.close();
    (this.#server as { closeAllConnections?: () => void } | undefined)?.closeAllConnections?.();
  }

  /** The certificates that it has issued, in order. */
  get issued(): readonly IssuedCertificate[] {
    return this.book.issued;
  }

  async #answer(request: IncomingMessage, reply: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
    await this.hold;
    if (this.outage !== undefined) {
      this.outage(reply);
      return;
    }
    let answer: AcmeReply;
    try {
      answer = this.#reply(request, Buffer.concat(parts).toString());
    } catch (error) {
      if (!(error instanceof AcmeFailure)) throw error;
      const { status, body, retryAfter } = error;
      answer = { status, body, headers: retryAfter === undefined ? {} : { 'retry-after': retryAfter } };
    }
    const { status, body, headers = {} } = answer;
    const isText = typeof body === 'string';
    const type = isText ? 'application/pem-certificate-chain' : 'application/json';
    reply.writeHead(status, {
      'content-type': status >= 400 ? 'application/problem+json' : type,
      'replay-nonce': this.#nonce(),
      'cache-control': 'no-store',
      ...headers,
    });
    reply.end(isText ? body : JSON.stringify(body ?? {}));
  }

  #nonce(): string {
    const nonce = randomBytes(12).toString('base64url');
    this.#nonces.add(nonce);
    return nonce;
  }

  #reply({ method, url = '', headers }: IncomingMessage, text: string): AcmeReply {
    if (url === '/directory') return { status: 200, body: this.#directory() };
    if (url === '/newNonce') return { status: method === 'HEAD' ? 200 : 204 };
    if (method === 'GET' && url.startsWith('/renewalInfo/')) return this.#renewal(url.slice('/renewalInfo/'.length));
    if (method !== 'POST') throw new AcmeFailure(405, 'malformed', `${String(method)} ${url}`);
    const signed = readSigned(text, headers['content-type']);
    const good = this.#nonces.delete(signed.nonce);
    if (this.badNonces > 0 || !good) {
      if (good) this.badNonces--;
      throw new AcmeFailure(400, 'badNonce', 'the nonce is not valid');
    }
    if (signed.url !== `${this.#url}${url}`) throw new AcmeFailure(403, 'unauthorized', 'the url is another one');
    const [resource = '', id = ''] = url.slice(1).split('/');
    this.requests.push(resource);
    if (resource === 'newOrder' && this.limit !== undefined)
      throw new AcmeFailure(429, 'rateLimited', this.limit.detail, this.limit.retryAfter);
    return this.book.answer(resource, id, signed);
  }

  #directory(): { readonly [name: string]: unknown } {
    const names = ['newNonce', 'newAccount', 'newOrder', 'revokeCert', 'keyChange'];
    if (this.renewalInfo) names.push('renewalInfo');
    return {
      ...Object.fromEntries(names.map((name) => [name, `${this.#url}/${name}`])),
      meta: { termsOfService: `${this.#url}/terms`, externalAccountRequired: this.book.bindings.size > 0 },
    };
  }

  #renewal(id: string): AcmeReply {
    this.requests.push('renewalInfo');
    const found = this.issued.find((one) => one.id === id);
    if (!this.renewalInfo || found === undefined) throw new AcmeFailure(404, 'malformed', 'no such certificate');
    const third = (found.to - found.from) / 3;
    const window = this.book.windows.get(id) ?? { start: found.to - third, end: found.to - third + 86_400_000 };
    const moved = this.book.revoked.has(id)
      ? { start: this.#now() - 172_800_000, end: this.#now() - 86_400_000 }
      : window;
    const suggestedWindow = {
      start: new Date(moved.start).toISOString(),
      end: new Date(moved.end).toISOString(),
    };
    return { status: 200, body: { suggestedWindow }, headers: { 'retry-after': String(this.renewalRetryAfter) } };
  }
}
