/** A client that signs its requests (RFC 9421), written apart from gw's own code. */
import * as crypto from 'node:crypto';

export interface SignerOptions {
  readonly keyid: string;
  /** A private key, or a shared secret. */
  readonly key: crypto.KeyObject;
  /** How it signs; default by the key: HMAC with SHA-256, or Ed25519. */
  readonly sign?: (base: Buffer) => Buffer;
}

export interface RequestToSign {
  readonly method?: string;
  readonly url: string;
  readonly headers?: { readonly [name: string]: string };
  readonly body?: string;
  /** Names in the list, in this order. Default: method, authority, path, query if there is one, content-digest if there is a body. */
  readonly covered?: readonly string[];
  /** Seconds since 1970; null for none. */
  readonly created?: number | null;
  readonly expires?: number;
  /** Default: a new one; null for none. */
  readonly nonce?: string | null;
  readonly alg?: string;
  readonly tag?: string;
  readonly label?: string;
}

export interface Signed {
  readonly method: string;
  readonly headers: { readonly [name: string]: string };
  readonly body: string | undefined;
}

export class Signer {
  constructor(readonly options: SignerOptions) {}

  /** The fields that a request is sent with. */
  request(request: RequestToSign): Signed {
    const { method = 'GET', url, body, label = 'sig1', nonce = crypto.randomUUID() } = request;
    const { host, pathname, search, protocol, href } = new URL(url);
    const headers: Record<string, string> = { host, ...request.headers };
    if (body !== undefined)
      headers['content-digest'] ??= `sha-256=:${crypto.createHash('sha256').update(body).digest('base64')}:`;
    const covered = request.covered ?? [
      '@method',
      '@authority',
      '@path',
      ...(search === '' ? [] : ['@query']),
      ...(body === undefined ? [] : ['content-digest']),
    ];
    const derived: { readonly [name: string]: string } = {
      '@method': method,
      '@authority': host,
      '@path': pathname,
      '@query': search === '' ? '?' : search,
      '@scheme': protocol.slice(0, -1),
      '@target-uri': href,
      '@request-target': pathname + search,
    };
    const list = covered.map((name) => `"${name}"`).join(' ');
    const { created = Math.floor(Date.now() / 1000), expires, alg, tag } = request;
    const params = [
      `(${list})`,
      created === null ? '' : `;created=${created}`,
      expires === undefined ? '' : `;expires=${expires}`,
      nonce === null ? '' : `;nonce="${nonce}"`,
      alg === undefined ? '' : `;alg="${alg}"`,
      `;keyid="${this.options.keyid}"`,
      tag === undefined ? '' : `;tag="${tag}"`,
    ].join('');
    const lines = covered.map((name) => `"${name}": ${derived[name] ?? headers[name] ?? ''}`);
    const base = [...lines, `"@signature-params": ${params}`].join('\n');
    headers['signature-input'] = `${label}=${params}`;
    headers['signature'] = `${label}=:${this.#sign(Buffer.from(base)).toString('base64')}:`;
    return { method, headers, body };
  }

  #sign(base: Buffer): Buffer {
    const { key, sign } = this.options;
    if (sign !== undefined) return sign(base);
    if (key.type === 'secret') return crypto.createHmac('sha256', key).update(base).digest();
    return crypto.sign(null, base, key);
  }
}
