/** A server with the documented replies of Vault: logins, tokens with leases, a KV engine of version 2. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Json = { readonly [name: string]: unknown };

interface Token {
  lease: number;
  readonly renewable: boolean;
  renewals: number;
}

export class VaultServer {
  readonly #server: Server = createServer((request, reply) => void this.#answer(request, reply));
  readonly #secrets = new Map<string, { version: number; data: Json }>();
  readonly tokens = new Map<string, Token>();
  /** Requests as `METHOD /path`, in order. */
  readonly requests: string[] = [];
  /** The namespaces of the requests. */
  readonly namespaces: (string | undefined)[] = [];
  /** `ROLE_ID SECRET_ID` of the AppRoles, and `ROLE JWT` of the service accounts. */
  readonly roles = new Set<string>();
  /** Answers every request instead, while it is set. */
  outage: ((reply: ServerResponse) => void) | undefined;
  /** Seconds of new tokens. */
  lease = 3600;
  renewable = true;
  #made = 0;

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** Writes a new version. `path`: with the mount. */
  write(path: string, data: Json): void {
    this.#secrets.set(path, { version: (this.#secrets.get(path)?.version ?? 0) + 1, data });
  }

  remove(path: string): void {
    this.#secrets.delete(path);
  }

  issue(token = `hvs.test-${++this.#made}`): string {
    this.tokens.set(token, { lease: this.lease, renewable: this.renewable, renewals: 0 });
    return token;
  }

  async #answer(request: IncomingMessage, reply: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
    this.requests.push(`${request.method} ${request.url}`);
    this.namespaces.push(request.headers['x-vault-namespace'] as string | undefined);
    if (this.outage !== undefined) {
      this.outage(reply);
      return;
    }
    const body = parts.length === 0 ? {} : (JSON.parse(Buffer.concat(parts).toString('utf8')) as Json);
    const [status, answer] = this.#reply(request, body);
    reply.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  }

  #reply({ method, url = '', headers }: IncomingMessage, body: Json): [number, Json] {
    const path = decodeURIComponent(url.replace(/^\/v1\//, ''));
    const denied: [number, Json] = [403, { errors: ['permission denied'] }];
    if (method === 'POST' && /^auth\/[\w/-]+\/login$/.test(path)) {
      const who = body['role_id'] === undefined ? [body['role'], body['jwt']] : [body['role_id'], body['secret_id']];
      if (!this.roles.has(who.join(' '))) return [400, { errors: ['invalid role or secret ID'] }];
      return [200, this.#auth(this.issue())];
    }
    const name = String(headers['x-vault-token'] ?? '');
    const token = this.tokens.get(name);
    if (token === undefined) return denied;
    if (method === 'POST' && path === 'auth/token/renew-self') {
      if (!token.renewable) return [400, { errors: ['lease is not renewable'] }];
      token.renewals++;
      return [200, this.#auth(name)];
    }
    if (path === 'auth/token/lookup-self')
      return [200, { data: { ttl: token.lease, renewable: token.renewable, id: name } }];
    const secret = this.#secrets.get(path.replace('/data/', '/'));
    if (!path.includes('/data/') || secret === undefined) return [404, { errors: [] }];
    const { version, data } = secret;
    return [200, { data: { data, metadata: { version, created_time: '2026-01-01T00:00:00Z', destroyed: false } } }];
  }

  #auth(name: string): Json {
    const { lease, renewable } = this.tokens.get(name)!;
    return { auth: { client_token: name, lease_duration: lease, renewable, policies: ['default'] } };
  }
}
