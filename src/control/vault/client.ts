/**
 * The HTTP API of HashiCorp Vault and OpenBao: logins, renewal of the token, and secrets of the KV engine, version 2.
 * https://developer.hashicorp.com/vault/api-docs
 */
import { resolve } from 'node:path';
import { resolvedText as plain } from '../../bundle/references.js';
import type { VaultEntry } from '../../bundle/vault.js';
import { INPUT_LIMITS, readInputText } from '../../input-file.js';
import type { DutyFetch } from '../duties/fetch.js';

/** A token of Vault. */
export interface VaultToken {
  readonly token: string;
  /** Milliseconds that it is valid; 0: it does not expire. */
  readonly lease: number;
  readonly renewable: boolean;
}

/** One version of a secret. */
export interface VaultSecret {
  readonly version: number;
  readonly values: { readonly [key: string]: unknown };
}

/** Vault has refused a request. `status` 403: the token is not valid any more, or may not do this. */
export class VaultRefusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** What a status means for a request. */
type Refusals = { readonly [status: number]: string };
const READ: Refusals = { 403: 'the token is not valid or may not read it', 404: 'there is no such secret' };
const LOGIN: Refusals = {
  400: 'the login is refused',
  403: 'the login is refused',
  404: 'there is no such auth method',
};

const MAX_REPLY = 256 * 1024;
const FILE = { maxBytes: INPUT_LIMITS.secret };

type Body = { readonly [name: string]: unknown };

export class VaultClient {
  readonly #entry: VaultEntry;
  readonly #root: string;
  readonly #fetch: DutyFetch;
  readonly #signal: AbortSignal;

  /** `root`: the folder that relative paths of files start from. */
  constructor(entry: VaultEntry, root: string, fetch: DutyFetch, signal: AbortSignal) {
    this.#entry = entry;
    this.#root = root;
    this.#fetch = fetch;
    this.#signal = signal;
  }

  /** Rejects with a phrase that says why it fails. */
  async login(): Promise<VaultToken> {
    const { login } = this.#entry;
    if (login.method === 'token') return this.#lookup(plain(login.token));
    const body =
      login.method === 'approle'
        ? { role_id: plain(login.roleId), secret_id: plain(login.secretId) }
        : { role: login.role, jwt: readInputText(resolve(this.#root, login.jwt), FILE).trim() };
    return tokenIn(await this.#send('POST', `auth/${login.mount}/login`, undefined, body, LOGIN));
  }

  /** How long a given token is valid. One that may not look itself up is used as it is. */
  async #lookup(token: string): Promise<VaultToken> {
    try {
      const { data } = await this.#send('GET', 'auth/token/lookup-self', token);
      const { ttl, renewable } = tableOf(data);
      return { token, lease: secondsOf(ttl), renewable: renewable === true };
    } catch (error) {
      if (error instanceof VaultRefusal && error.status === 403) return { token, lease: 0, renewable: false };
      throw error;
    }
  }

  async renew({ token }: VaultToken): Promise<VaultToken> {
    return tokenIn(await this.#send('POST', 'auth/token/renew-self', token, {}));
  }

  /** The newest version of the secret at a path, which begins with the mount. */
  async read(path: string, { token }: VaultToken): Promise<VaultSecret> {
    const { mount = path.split('/', 1)[0]! } = this.#entry;
    const rest = path.startsWith(`${mount}/`) ? path.slice(mount.length + 1) : path;
    const place = [...mount.split('/'), 'data', ...rest.split('/')].map(encodeURIComponent).join('/');
    const { data } = await this.#send('GET', place, token, undefined, READ);
    const { data: values, metadata } = tableOf(data);
    const { version } = tableOf(metadata);
    if (typeof values !== 'object' || values === null || typeof version !== 'number')
      throw new Error('the reply is not a secret of a KV engine of version 2');
    return { version, values: tableOf(values) };
  }

  async #send(
    method: string,
    path: string,
    token: string | undefined,
    body?: Body,
    refusals: Refusals = {},
  ): Promise<Body> {
    const { address, namespace, timeout, ca } = this.#entry;
    const url = `${plain(address).replace(/\/+$/, '')}/v1/${path}`;
    const headers = {
      'x-vault-request': 'true',
      ...(token === undefined ? {} : { 'x-vault-token': token }),
      ...(namespace === undefined ? {} : { 'x-vault-namespace': namespace }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    const reply = await this.#fetch(
      url,
      {
        method,
        headers,
        timeout,
        maxReply: MAX_REPLY,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(ca === undefined ? {} : { ca: readInputText(resolve(this.#root, ca), FILE) }),
      },
      this.#signal,
    );
    const { status } = reply;
    // The errors in the reply may name the token or the path of another tenant.
    if (status !== 200)
      throw new VaultRefusal(
        status,
        refusals[status] === undefined
          ? `Vault answers with status ${status}`
          : `${refusals[status]} (status ${status})`,
      );
    return tableOf(jsonOf(reply.body));
  }
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    throw new Error('the reply of Vault is not JSON');
  }
}

const tableOf = (value: unknown): Body =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Body) : {};

const secondsOf = (value: unknown): number => (typeof value === 'number' && value > 0 ? value * 1000 : 0);

function tokenIn({ auth }: Body): VaultToken {
  const { client_token: token, lease_duration: lease, renewable } = tableOf(auth);
  if (typeof token !== 'string' || token === '') throw new Error('the reply of Vault has no token');
  return { token, lease: secondsOf(lease), renewable: renewable === true };
}
