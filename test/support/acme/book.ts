/** The accounts, orders, authorizations and certificates of the ACME server, RFC 8555 section 7. */
import { createHash, createPublicKey, type JsonWebKey } from 'node:crypto';
import { type AcmeAuthority, type IssuedCertificate, readSigningRequest, type SigningRequest } from './authority.js';
import { checkBinding, type SignedRequest, thumbprintOf } from './jws.js';
import { AcmeFailure, type AcmeReply } from './problem.js';
import { type ChallengePorts, validateHttp, validateTls } from './validation.js';

interface Account {
  readonly url: string;
  readonly jwk: JsonWebKey;
  contact: readonly string[];
  status: 'valid' | 'deactivated';
}

interface Challenge {
  readonly type: string;
  readonly url: string;
  readonly token: string;
  status: 'pending' | 'processing' | 'valid' | 'invalid';
  error?: unknown;
}

interface Authorization {
  readonly id: string;
  readonly host: string;
  readonly account: Account;
  readonly challenges: readonly Challenge[];
  status: 'pending' | 'valid' | 'invalid' | 'deactivated' | 'expired';
}

export interface AcmeOrder {
  readonly id: string;
  readonly names: readonly string[];
  readonly account: Account;
  readonly authorizations: readonly Authorization[];
  readonly expires: number;
  readonly replaces: string | undefined;
  status: 'pending' | 'ready' | 'processing' | 'valid' | 'invalid';
  /** Polls that still find it `processing`. */
  wait: number;
  request: SigningRequest | undefined;
  certificate: IssuedCertificate | undefined;
  error?: unknown;
}

const DAY = 86_400_000;

export class AcmeBook {
  readonly accounts = new Map<string, Account>();
  readonly orders = new Map<string, AcmeOrder>();
  readonly #authorizations = new Map<string, Authorization>();
  readonly issued: IssuedCertificate[] = [];
  readonly revoked = new Set<string>();
  /** Windows for renewal by id of the certificate; others are in the last third of the lifetime. */
  readonly windows = new Map<string, { readonly start: number; readonly end: number }>();
  /** Keys of external accounts, base64url, by id; not empty: accounts need one. */
  readonly bindings = new Map<string, string>();
  /** Milliseconds. */
  lifetime = 90 * DAY;
  orderLifetime = 7 * DAY;
  /** Kinds of challenges that are offered. */
  challenges: readonly string[] = ['http-01', 'dns-01', 'tls-alpn-01'];
  /** Polls until an order that was finalized has its certificate. */
  processing = 1;
  /** Orders end as invalid instead of with a certificate. */
  failsToIssue = false;
  /** Authorizations of an account are used again for later orders. */
  reuses = false;
  /** Challenges that were validated, `TYPE HOST`, with the reason of those that failed. */
  readonly validations: string[] = [];
  /** Challenges that are being validated. */
  validating = 0;
  readonly #authority: AcmeAuthority;
  readonly #ports: ChallengePorts;
  readonly #now: () => number;
  readonly #url: () => string;
  #made = 0;

  constructor(authority: AcmeAuthority, ports: ChallengePorts, now: () => number, url: () => string) {
    this.#authority = authority;
    this.#ports = ports;
    this.#now = now;
    this.#url = url;
  }

  answer(resource: string, id: string, signed: SignedRequest): AcmeReply {
    if (resource === 'newAccount') return this.#newAccount(signed);
    const account = this.#accountOf(signed);
    switch (resource) {
      case 'account':
        return this.#account(account, signed);
      case 'newOrder':
        return this.#newOrder(account, signed);
      case 'order':
        return this.#order(this.#owned(this.orders.get(id), account));
      case 'finalize':
        return this.#finalize(this.#owned(this.orders.get(id), account), signed);
      case 'certificate':
        return { status: 200, body: this.#owned(this.orders.get(id), account).certificate?.pem ?? '' };
      case 'authorization':
        return { status: 200, body: this.#shown(this.#owned(this.#authorizations.get(id), account), signed) };
      case 'challenge':
        return this.#challenge(id, account, signed);
      default:
        throw new AcmeFailure(404, 'malformed', `no resource ${resource}`);
    }
  }

  #owned<T extends { readonly account: Account }>(one: T | undefined, account: Account): T {
    if (one === undefined) throw new AcmeFailure(404, 'malformed', 'it does not exist');
    if (one.account !== account) throw new AcmeFailure(403, 'unauthorized', 'it belongs to another account');
    return one;
  }

  // ---------------------------------------------------------------- accounts

  #newAccount(signed: SignedRequest): AcmeReply {
    const { jwk, payload = {} } = signed;
    if (jwk === undefined) throw new AcmeFailure(400, 'malformed', 'no jwk');
    signed.verify(jwk);
    const thumbprint = thumbprintOf(jwk);
    const known = this.accounts.get(thumbprint);
    if (known !== undefined) return { status: 200, body: shownAccount(known), headers: { location: known.url } };
    if (payload['onlyReturnExisting'] === true)
      throw new AcmeFailure(400, 'accountDoesNotExist', 'no account has this key');
    if (payload['termsOfServiceAgreed'] !== true)
      throw new AcmeFailure(403, 'userActionRequired', 'the terms of service are not agreed to');
    if (this.bindings.size > 0)
      checkBinding(payload['externalAccountBinding'], jwk, `${this.#url()}/newAccount`, this.bindings);
    const account: Account = {
      url: `${this.#url()}/account/${++this.#made}`,
      jwk,
      contact: (payload['contact'] as string[] | undefined) ?? [],
      status: 'valid',
    };
    this.accounts.set(thumbprint, account);
    return { status: 201, body: shownAccount(account), headers: { location: account.url } };
  }

  #accountOf(signed: SignedRequest): Account {
    const account = [...this.accounts.values()].find(({ url }) => url === signed.kid);
    if (account === undefined) throw new AcmeFailure(400, 'accountDoesNotExist', 'no account has this url');
    signed.verify(account.jwk);
    if (account.status !== 'valid') throw new AcmeFailure(401, 'unauthorized', 'the account is not valid');
    return account;
  }

  #account(account: Account, { payload = {} }: SignedRequest): AcmeReply {
    if (payload['contact'] !== undefined) account.contact = payload['contact'] as string[];
    if (payload['status'] === 'deactivated') account.status = 'deactivated';
    return { status: 200, body: shownAccount(account) };
  }

  // ---------------------------------------------------------------- orders

  #newOrder(account: Account, { payload = {} }: SignedRequest): AcmeReply {
    const identifiers = payload['identifiers'] as readonly { readonly type: string; readonly value: string }[];
    const replaces = payload['replaces'] as string | undefined;
    for (const { type, value } of identifiers) {
      if (type !== 'dns') throw new AcmeFailure(400, 'unsupportedIdentifier', type);
      if (!/^([a-z0-9-]+\.)+[a-z0-9-]+$/.test(value)) throw new AcmeFailure(400, 'rejectedIdentifier', value);
    }
    if (replaces !== undefined) this.#checkReplaced(replaces, account);
    const names = identifiers.map(({ value }) => value);
    const order: AcmeOrder = {
      id: String(++this.#made),
      names,
      account,
      authorizations: names.map((host) => this.#authorize(host, account)),
      expires: this.#now() + this.orderLifetime,
      replaces,
      status: 'pending',
      wait: 0,
      request: undefined,
      certificate: undefined,
    };
    this.orders.set(order.id, order);
    return { ...this.#order(order), status: 201, headers: { location: `${this.#url()}/order/${order.id}` } };
  }

  #checkReplaced(id: string, account: Account): void {
    const known = [...this.orders.values()].find(({ certificate }) => certificate?.id === id);
    if (known === undefined) throw new AcmeFailure(404, 'malformed', 'the replaced certificate is not known');
    this.#owned(known, account);
    const others = [...this.orders.values()].filter(({ replaces, status }) => replaces === id && status !== 'invalid');
    if (others.length > 0) throw new AcmeFailure(409, 'alreadyReplaced', 'the certificate is replaced already');
  }

  #authorize(host: string, account: Account): Authorization {
    const known = [...this.#authorizations.values()].find(
      (one) => this.reuses && one.host === host && one.account === account && one.status === 'valid',
    );
    if (known !== undefined) return known;
    const id = String(++this.#made);
    const challenges = this.challenges.map((type) => ({
      type,
      url: `${this.#url()}/challenge/${id}-${type}`,
      token: createHash('sha256').update(`${id} ${type} ${Math.random()}`).digest('base64url'),
      status: 'pending' as const,
    }));
    const authorization: Authorization = { id, host, account, challenges, status: 'pending' };
    this.#authorizations.set(id, authorization);
    return authorization;
  }

  #order(order: AcmeOrder): AcmeReply {
    this.#advance(order);
    const waits = order.status === 'processing';
    return { status: 200, body: this.#shownOrder(order), ...(waits ? { headers: { 'retry-after': '1' } } : {}) };
  }

  /** The states of RFC 8555 section 7.1.6. */
  #advance(order: AcmeOrder): void {
    const { authorizations } = order;
    if (order.status === 'pending' || order.status === 'ready') {
      if (order.expires <= this.#now() || authorizations.some(({ status }) => !/^(pending|valid)$/.test(status)))
        order.status = 'invalid';
      else if (authorizations.every(({ status }) => status === 'valid')) order.status = 'ready';
    } else if (order.status === 'processing' && order.wait-- <= 0) this.#issue(order);
  }

  #issue(order: AcmeOrder): void {
    if (this.failsToIssue) {
      order.status = 'invalid';
      order.error = new AcmeFailure(403, 'caa', 'the CAA records forbid it').body;
      return;
    }
    const from = this.#now() - 3_600_000;
    order.certificate = this.#authority.issue({
      names: order.names,
      key: order.request!.key,
      from: Math.floor(from / 1000) * 1000,
      to: Math.floor((from + this.lifetime) / 1000) * 1000,
    });
    this.issued.push(order.certificate);
    order.status = 'valid';
  }

  #finalize(order: AcmeOrder, { payload = {} }: SignedRequest): AcmeReply {
    this.#advance(order);
    if (order.status !== 'ready') throw new AcmeFailure(403, 'orderNotReady', `the order is ${order.status}`);
    let request: SigningRequest;
    try {
      request = readSigningRequest(Buffer.from(String(payload['csr']), 'base64url'));
    } catch (error) {
      throw new AcmeFailure(400, 'badCSR', String(error));
    }
    const same = [...request.names].sort().join() === [...order.names].sort().join();
    const own = createPublicKey({ key: order.account.jwk, format: 'jwk' }).export({ type: 'spki', format: 'der' });
    if (!same || request.key.equals(own))
      throw new AcmeFailure(400, 'badCSR', 'other names, or the key of the account');
    order.request = request;
    order.status = 'processing';
    order.wait = this.processing;
    return this.#order(order);
  }

  // ---------------------------------------------------------------- challenges

  #challenge(id: string, account: Account, { payload }: SignedRequest): AcmeReply {
    const [number = '', ...rest] = id.split('-');
    const authorization = this.#owned(this.#authorizations.get(number), account);
    const challenge = authorization.challenges.find(({ type }) => type === rest.join('-'));
    if (challenge === undefined) throw new AcmeFailure(404, 'malformed', 'no such challenge');
    if (payload !== undefined && challenge.status === 'pending' && authorization.status === 'pending') {
      challenge.status = 'processing';
      void this.#validate(authorization, challenge);
    }
    return { status: 200, body: challenge };
  }

  async #validate(authorization: Authorization, challenge: Challenge): Promise<void> {
    const { host, account } = authorization;
    const proof = `${challenge.token}.${thumbprintOf(account.jwk)}`;
    const name = `${challenge.type} ${host}`;
    this.validating++;
    try {
      if (challenge.type === 'http-01') await validateHttp(host, challenge.token, proof, this.#ports.http);
      else if (challenge.type === 'tls-alpn-01') await validateTls(host, proof, this.#ports.tls);
      else throw new Error('it cannot be validated here');
      challenge.status = 'valid';
      authorization.status = 'valid';
      this.validations.push(name);
    } catch (error) {
      challenge.status = 'invalid';
      challenge.error = new AcmeFailure(403, 'unauthorized', error instanceof Error ? error.message : 'unknown').body;
      authorization.status = 'invalid';
      this.validations.push(`${name}: ${error instanceof Error ? error.message : 'unknown'}`);
    } finally {
      this.validating--;
    }
  }

  // ---------------------------------------------------------------- shown

  #shownOrder(order: AcmeOrder): unknown {
    const { id, names, authorizations, status, expires, certificate, error, replaces } = order;
    return {
      status,
      expires: new Date(expires).toISOString(),
      identifiers: names.map((value) => ({ type: 'dns', value })),
      authorizations: authorizations.map((one) => `${this.#url()}/authorization/${one.id}`),
      finalize: `${this.#url()}/finalize/${id}`,
      ...(certificate === undefined ? {} : { certificate: `${this.#url()}/certificate/${id}` }),
      ...(replaces === undefined ? {} : { replaces }),
      ...(error === undefined ? {} : { error }),
    };
  }

  #shown(authorization: Authorization, { payload }: SignedRequest): unknown {
    if (payload?.['status'] === 'deactivated') authorization.status = 'deactivated';
    const { host, status, challenges } = authorization;
    return { identifier: { type: 'dns', value: host }, status, challenges };
  }
}

const shownAccount = ({ contact, status, url }: Account): unknown => ({ contact, status, orders: `${url}/orders` });
