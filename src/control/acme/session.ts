/** An account at an authority, and what is asked of it. The client of the package makes and signs the requests; transport.ts sends them. */
import type * as AcmeClient from 'acme-client';
import type { AcmeEntry, AcmeKeyType } from '../../bundle/acme-entry.js';
import type { AcmeStore } from './store.js';
import { AcmeRefusal, type AcmeReply, type AcmeTransport } from './transport.js';

export type AcmeOrder = AcmeClient.Order;
export type AcmeAuthorization = AcmeClient.Authorization;
export type AcmeChallengeObject = AcmeAuthorization['challenges'][number];

/** The part of the client that its types leave out: its requests go through here. */
interface ClientWithHttp {
  readonly http?: {
    request(url: string, method: string, options?: { readonly data?: unknown }): Promise<AcmeReply>;
    getDirectory(): Promise<{ readonly [name: string]: unknown }>;
  };
}

interface StoredAccount {
  readonly url: string;
  /** PEM. */
  readonly key: string;
  readonly email: string | undefined;
}

export interface SessionOptions {
  readonly entry: AcmeEntry;
  /** URL of the directory in use. */
  readonly directory: string;
  /** The folder of this authority in the store. */
  readonly folder: string;
  readonly store: AcmeStore;
  readonly transport: AcmeTransport;
  readonly externalAccount: { readonly id: string; readonly key: string } | undefined;
}

/** Loaded when it is first used: most gateways need none of it. */
const load = async (): Promise<typeof AcmeClient> => {
  const loaded = (await import('acme-client')) as unknown as { readonly default?: typeof AcmeClient };
  return loaded.default ?? (loaded as unknown as typeof AcmeClient);
};

export class AcmeSession {
  readonly #options: SessionOptions;
  #client: AcmeClient.Client | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** What the last reply asked to wait for, milliseconds. */
  get retryAfter(): number | undefined {
    return this.#options.transport.retryAfter;
  }

  /** Opens the account: that of the store, or a new one. */
  async open(): Promise<void> {
    if (this.#client !== undefined) return;
    const { entry } = this.#options;
    const known = await this.#stored();
    const acme = await load();
    const key = known?.key ?? (await acme.crypto.createPrivateEcdsaKey('P-256')).toString();
    // Kept before it is used: an account whose key is lost cannot be used again, and counts against the limits.
    if (known === undefined) await this.#store({ url: '', key, email: entry.email });
    const client = this.#create(acme, key, known?.url);
    const contact = entry.email === undefined ? [] : [`mailto:${entry.email}`];
    if (known === undefined || known.url === '')
      await client.createAccount({ termsOfServiceAgreed: true, ...(contact.length === 0 ? {} : { contact }) });
    else if (known.email !== entry.email) await client.updateAccount({ contact });
    const account = { url: client.getAccountUrl(), key, email: entry.email };
    if (JSON.stringify(account) !== JSON.stringify(known)) await this.#store(account);
    this.#client = client;
  }

  /** The authority does not know the account, for example because it has lost its data: the next open() makes another one. */
  async forget(): Promise<void> {
    this.#client = undefined;
    const known = await this.#stored();
    if (known !== undefined) await this.#store({ ...known, url: '' });
  }

  async #stored(): Promise<StoredAccount | undefined> {
    const { store, folder } = this.#options;
    const text = await store.read(`${folder}/account.json`);
    if (text === undefined) return undefined;
    const { url, key, email } = JSON.parse(text) as Partial<StoredAccount>;
    if (typeof url !== 'string' || typeof key !== 'string') throw new Error('the file of the account is not valid');
    return { url, key, email };
  }

  #store(account: StoredAccount): Promise<void> {
    const { store, folder } = this.#options;
    return store.write(`${folder}/account.json`, `${JSON.stringify(account, null, 2)}\n`);
  }

  #create(acme: typeof AcmeClient, accountKey: string, url: string | undefined): AcmeClient.Client {
    const { directory, externalAccount, transport } = this.#options;
    const client = new acme.Client({
      directoryUrl: directory,
      accountKey,
      ...(url === undefined || url === '' ? {} : { accountUrl: url }),
      ...(externalAccount && { externalAccountBinding: { kid: externalAccount.id, hmacKey: externalAccount.key } }),
    });
    httpOf(client).request = (to, method, { data } = {}) => transport.request(to, method, data);
    return client;
  }

  get #open(): AcmeClient.Client {
    if (this.#client === undefined) throw new Error('the account is not open');
    return this.#client;
  }

  // ---------------------------------------------------------------- orders

  /** `replaces`: the id of the certificate that the new one replaces, RFC 9773 section 5. */
  async order(host: string, replaces: string | undefined): Promise<AcmeOrder> {
    const identifiers = [{ type: 'dns', value: host }];
    const window = replaces !== undefined && (await this.#renewalInfoUrl()) !== undefined;
    const request = window ? { identifiers, replaces } : { identifiers };
    try {
      return await this.#open.createOrder(request);
    } catch (error) {
      // It was replaced by an order that came to nothing here, or the authority has forgotten it.
      if (!window || !(error instanceof AcmeRefusal) || ![404, 409].includes(error.status)) throw error;
      return this.#open.createOrder({ identifiers });
    }
  }

  refresh(order: AcmeOrder): Promise<AcmeOrder> {
    return this.#open.getOrder(order);
  }

  authorizations(order: AcmeOrder): Promise<AcmeAuthorization[]> {
    return this.#open.getAuthorizations(order);
  }

  /** RFC 8555 section 8.1. */
  keyAuthorization(challenge: AcmeChallengeObject): Promise<string> {
    return this.#open.getChallengeKeyAuthorization(challenge);
  }

  /** Asks the authority to validate a challenge. */
  async answer(challenge: AcmeChallengeObject): Promise<void> {
    await this.#open.completeChallenge(challenge);
  }

  /** Gives a pending authorization up, so that it does not count against the limits of the account. */
  async giveUp(authorization: AcmeAuthorization): Promise<void> {
    await this.#open.deactivateAuthorization(authorization);
  }

  /** A new key with a signing request for `host`. PEM texts. */
  async request(host: string, type: AcmeKeyType): Promise<{ readonly key: string; readonly csr: Buffer }> {
    const { crypto } = await load();
    const made =
      type === 'rsa-2048' || type === 'rsa-4096'
        ? await crypto.createPrivateRsaKey(type === 'rsa-2048' ? 2048 : 4096)
        : await crypto.createPrivateEcdsaKey(type === 'ecdsa-p256' ? 'P-256' : 'P-384');
    const [key, csr] = await crypto.createCsr({ altNames: [host] }, made);
    return { key: key.toString(), csr };
  }

  finalize(order: AcmeOrder, csr: Buffer): Promise<AcmeOrder> {
    return this.#open.finalizeOrder(order, csr);
  }

  /** The chain of a valid order as PEM. */
  certificate(order: AcmeOrder): Promise<string> {
    return this.#open.getCertificate(order);
  }

  /** The certificate that answers a TLS-ALPN-01 challenge, RFC 8737 section 3. PEM texts. */
  async challengeCertificate(host: string, keyAuthorization: string): Promise<{ cert: string; key: string }> {
    const { crypto } = await load();
    const own = await crypto.createPrivateEcdsaKey('P-256');
    const authorization = { identifier: { type: 'dns', value: host } } as AcmeAuthorization;
    const [key, cert] = await crypto.createAlpnCertificate(authorization, keyAuthorization, own);
    return { cert: cert.toString(), key: key.toString() };
  }

  // ---------------------------------------------------------------- renewal information

  /** The RenewalInfo object of a certificate; undefined if the authority offers none. */
  async renewalInfo(id: string): Promise<unknown> {
    const url = await this.#renewalInfoUrl();
    if (url === undefined) return undefined;
    const { data } = await this.#options.transport.request(`${url.replace(/\/$/, '')}/${id}`, 'get');
    return data;
  }

  async #renewalInfoUrl(): Promise<string | undefined> {
    const url = (await httpOf(this.#open).getDirectory())['renewalInfo'];
    return typeof url === 'string' ? url : undefined;
  }
}

/** @throws Error if the package is another version, whose client is built differently */
function httpOf(client: AcmeClient.Client): NonNullable<ClientWithHttp['http']> {
  const { http } = client as unknown as ClientWithHttp;
  if (typeof http?.request !== 'function' || typeof http.getDirectory !== 'function')
    throw new Error('this version of acme-client has no http.request');
  return http;
}
