/** The policies of `bench auth`, as TOML, with what clients send. */
import type { Setting } from '../proxy/setting.js';
import * as credentials from './credentials.js';

/** One line of a table. */
export interface Entry {
  readonly name: string;
  readonly toml: string;
  readonly policies: readonly string[];
  readonly headers: { readonly [name: string]: string };
  /** A Lua script with other credentials in each request; `headers` are then those of the first one. */
  readonly script?: string;
  readonly env?: { readonly [name: string]: string };
}

const JWT = 'issuer = "bench"\naudience = "bench"\n';
const KEYS = '[policy.keys]\nuse = "api-key"\n';

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

const consumer = (name: string, key: string, more = ''): string =>
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
    script: credentials.scriptOfValues(setting, 'api-keys', 'x-api-key', keys),
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
    script: credentials.scriptOfValues(setting, file, 'authorization', values),
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
    script: credentials.scriptOfValues(setting, 'basic', 'authorization', users),
  };
}

/** The same signed request in all of them; it is verified each time. */
export function signed(setting: Setting): Entry {
  const { headers, pem } = credentials.signedRequest('bench.example');
  return {
    name: 'http-signature, Ed25519',
    toml: `[policy.signed]
use = "http-signature"
components = ["@method", "@authority", "@path"]
nonce = "ignored"
max_age = "1h"
keys = [{ id = "bench", public_key = "${setting.write('signature.pem', pem)}" }]
`,
    policies: ['signed'],
    headers,
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
  };
}

export const GUARDED: Entry = {
  name: 'csrf + security-headers',
  toml: '[policy.own]\nuse = "csrf"\n[policy.safe]\nuse = "security-headers"\n',
  policies: ['own', 'safe'],
  headers: {},
};

const introspection = (port: number): string =>
  `[policy.known]\nuse = "introspect"\nurl = "http://127.0.0.1:${port}/introspect"\n`;

export const introspectCached = (port: number): Entry => ({
  name: 'introspect, one token',
  toml: introspection(port),
  policies: ['known'],
  headers: bearer('opaque-token'),
});

export function introspectCold(setting: Setting, port: number): Entry {
  const values = Array.from({ length: credentials.COLD }, (_, at) => `Bearer opaque-token-${at}-${setting.key}`);
  return {
    name: 'introspect, with its request',
    toml: introspection(port),
    policies: ['known'],
    headers: { authorization: values[0]! },
    script: credentials.scriptOfValues(setting, 'introspect', 'authorization', values),
  };
}
