/** The policies of `bench auth` that need no other server, as TOML, with what clients send. */
import { randomUUID } from 'node:crypto';
import type { ClientTls } from '../proxy/processes.js';
import type { Setting } from '../proxy/setting.js';
import * as credentials from './credentials.js';
import { bearer } from './credentials.js';
import { enoughFor, scriptOf, scriptOfValues } from './scripts.js';

/** One line of a table. */
export interface Entry {
  readonly name: string;
  readonly toml: string;
  readonly policies: readonly string[];
  readonly headers: { readonly [name: string]: string };
  /**
   * A Lua script with other credentials in each request; `headers` are then those of the first one. A function: the
   * credentials are used up with a round.
   */
  readonly script?: string | (() => string);
  readonly env?: { readonly [name: string]: string };
  /** A request that the policies refuse. Default: the one that is measured, without its credentials if it has any. */
  readonly refused?: Refused;
  /** Further lines of the listener. */
  readonly listener?: string;
  /** The certificate of clients, if the listener has TLS. */
  readonly tls?: ClientTls;
  /** Calls that a request needs to the server that gateways ask; default: 0. */
  readonly calls?: number;
}

export interface Refused {
  readonly method?: string;
  readonly path?: string;
  readonly headers: { readonly [name: string]: string };
}

const JWT = 'issuer = "bench"\naudience = "bench"\n';
export const KEYS = '[policy.keys]\nuse = "api-key"\n';

export const consumer = (name: string, key: string, more = ''): string =>
  `[consumer.${name}]\napi_keys = ["sha256:${credentials.sha256(key)}"]\n${more}`;

export const NOTHING: Entry = { name: 'no policy', toml: '', policies: [], headers: {} };

export function apiKey({ key }: Setting): Entry {
  return { name: 'api-key', toml: KEYS + consumer('bench', key), policies: ['keys'], headers: { 'x-api-key': key } };
}

/** Another key in each request, of many consumers. */
export function apiKeys(setting: Setting): Entry {
  const keys = Array.from({ length: credentials.CONSUMERS }, (_, at) => `bench-key-${at}-${setting.key}`);
  return {
    name: 'api-key',
    toml: KEYS + keys.map((key, at) => consumer(`bench-${at}`, key)).join(''),
    policies: ['keys'],
    headers: { 'x-api-key': keys[0]! },
    script: scriptOfValues(setting, 'api-keys', 'x-api-key', keys),
  };
}

export function withPlan(setting: Setting): Entry {
  const { key } = setting;
  const plan = '[plan.gold]\nrate = "900000/s"\nconcurrency = 1000\n';
  return {
    name: 'api-key + plan',
    toml: KEYS + plan + consumer('bench', key, 'plan = "gold"\n'),
    policies: ['keys', 'plan'],
    headers: { 'x-api-key': key },
  };
}

export function withAllow({ key }: Setting): Entry {
  const rules = `[policy.access]
use = "allow"
[[policy.access.rules]]
name = "partners"
groups = ["partners"]
methods = ["GET"]
`;
  return {
    name: 'api-key + allow',
    toml: KEYS + rules + consumer('bench', key, 'groups = ["partners"]\n'),
    policies: ['keys', 'access'],
    headers: { 'x-api-key': key },
    refused: { method: 'POST', path: '/upload', headers: { 'x-api-key': key } },
  };
}

const shared = `[policy.tokens]\nuse = "jwt"\nsecret = "\${env:BENCH_SECRET}"\n${JWT}`;
const env = { BENCH_SECRET: credentials.secret };

/** The same token in all requests, verified once. */
export const JWT_CACHED = 'jwt, one token';
export const jwtCached = (): Entry => ({
  name: JWT_CACHED,
  toml: shared,
  policies: ['tokens'],
  headers: bearer(credentials.token(credentials.hs256)),
  env,
});

/** Another token in each request. */
export function jwtCold(setting: Setting, signer: credentials.Signer | credentials.Pair): Entry {
  const file = `jwt-${signer.alg}`;
  const values = credentials.tokens(signer).map((token) => `Bearer ${token}`);
  const key = 'publicKey' in signer ? setting.write(`${file}.pem`, signer.publicKey) : undefined;
  return {
    name: `jwt, ${signer.alg}`,
    toml:
      key === undefined
        ? shared
        : `[policy.tokens]\nuse = "jwt"\nkeys = ["${key}"]\nalgorithms = ["${signer.alg}"]\n${JWT}`,
    policies: ['tokens'],
    headers: { authorization: values[0]! },
    script: scriptOfValues(setting, file, 'authorization', values),
    env,
  };
}

const basic = (setting: Setting, users: number): string =>
  `[policy.people]\nuse = "basic"\nusers = "${setting.write(`users-${users}.htpasswd`, credentials.htpasswd(users))}"\n`;

export const basicCached = (setting: Setting): Entry => ({
  name: 'basic, one password',
  toml: basic(setting, 1),
  policies: ['people'],
  headers: { authorization: credentials.basicOf('user-0') },
});

/** Another user in each request; bcrypt of the lowest cost, 4. */
export function basicCold(setting: Setting): Entry {
  const users = Array.from({ length: credentials.COLD }, (_, at) => credentials.basicOf(`user-${at}`));
  return {
    name: 'basic, bcrypt of cost 4',
    toml: basic(setting, credentials.COLD),
    policies: ['people'],
    headers: { authorization: users[0]! },
    script: scriptOfValues(setting, 'basic', 'authorization', users),
  };
}

const signatures = (
  setting: Setting,
  { publicKey }: credentials.RequestSigner,
  nonce: string,
): string => `[policy.signed]
use = "http-signature"
components = ["@method", "@authority", "@path"]
nonce = "${nonce}"
max_age = "1h"
keys = [{ id = "bench", public_key = "${setting.write(`signature-${nonce}.pem`, publicKey)}" }]
`;

/** The same signed request in all of them; it is verified each time. */
export function signed(setting: Setting): Entry {
  const signer = new credentials.RequestSigner();
  return {
    name: 'http-signature, Ed25519',
    toml: signatures(setting, signer, 'ignored'),
    policies: ['signed'],
    headers: signer.sign('GET', '/items/1'),
  };
}

/** Each request has a signature of its own, whose nonce is accepted once. */
export function signedOnce(setting: Setting): Entry {
  const signer = new credentials.RequestSigner();
  const next = (): credentials.Fields => signer.sign('GET', '/items/1', { nonce: randomUUID() });
  const script = (): string => {
    const rows = Array.from({ length: enoughFor(setting) / 2 }, () => Object.values(next()));
    return scriptOf(setting, 'signed-once', { fields: Object.keys(next()), rows });
  };
  return {
    name: 'http-signature, Ed25519, with a nonce',
    toml: signatures(setting, signer, 'required'),
    policies: ['signed'],
    headers: next(),
    script,
  };
}

/** 10,000 blocks of addresses, none of which is that of the client. */
export function blocked(setting: Setting): Entry {
  const blocks = Array.from({ length: 10_000 }, (_, at) => `10.${at >> 8}.${at & 255}.0/24`);
  return {
    name: 'block, 10,000 addresses',
    toml: `[policy.bad]\nuse = "block"\n[[policy.bad.lists]]\nname = "bad"\nfile = "${setting.write('blocks.txt', blocks.join('\n'))}"\n`,
    policies: ['bad'],
    headers: {},
    listener: 'trusted_proxies = ["127.0.0.1"]',
    refused: { headers: { 'x-forwarded-for': '10.0.5.1' } },
  };
}

export const GUARDED: Entry = {
  name: 'csrf + security-headers',
  toml: '[policy.own]\nuse = "csrf"\n[policy.safe]\nuse = "security-headers"\n',
  policies: ['own', 'safe'],
  headers: {},
  refused: { method: 'POST', path: '/upload', headers: { 'sec-fetch-site': 'cross-site' } },
};

const ANY_OF = `${shared}${KEYS}[policy.callers]
use = "any-of"
policies = ["tokens", "keys"]
`;

/** A key, where a token is looked for first. */
export const anyOf = ({ key }: Setting): Entry => ({
  name: 'any-of: jwt, api-key',
  toml: ANY_OF + consumer('bench', key),
  policies: ['callers'],
  headers: { 'x-api-key': key },
  env,
});

/** Another key in each request, where a token is looked for first. */
export function anyOfKeys(setting: Setting): Entry {
  const { toml, headers, script } = apiKeys(setting);
  const keys = toml.slice(KEYS.length);
  return { name: 'any-of: jwt, api-key', toml: ANY_OF + keys, policies: ['callers'], headers, script: script!, env };
}
