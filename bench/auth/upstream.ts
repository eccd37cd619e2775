/** upstream-auth: the credentials of gw itself, by their kinds. */
import { generateKeyPairSync } from 'node:crypto';
import type { Setting } from '../proxy/setting.js';
import * as credentials from './credentials.js';
import { bearer } from './credentials.js';
import { consumer, type Entry, KEYS, NOTHING } from './policies.js';
import { scriptOfValues } from './scripts.js';
import * as services from './services.js';
import { scenario } from './table.js';

const es256 = credentials.es256();
const ed25519 = JSON.stringify(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }));
const SECRET = '"${env:BENCH_SECRET}"';
const env = { BENCH_SECRET: credentials.secret, BENCH_EC: es256.privateKey, BENCH_ED: ed25519 };

const kind = (name: string): { readonly 'x-kind': string } => ({ 'x-kind': name });

const upstream = (name: string, which: string, lines: string): Entry => ({
  name: `upstream-auth, ${name}`,
  toml: `[policy.own]\nuse = "upstream-auth"\n${lines}\n`,
  policies: ['own'],
  headers: kind(which),
  env,
});

function perConsumer({ key }: Setting): Entry {
  const { toml, ...entry } = upstream('per consumer, with api-key', 'consumer', `per_consumer = { bench = ${SECRET} }`);
  return {
    ...entry,
    toml: toml + KEYS + consumer('bench', key),
    policies: ['keys', 'own'],
    headers: { ...kind('consumer'), 'x-api-key': key },
  };
}

const endpoint = (port: number, path: string): string =>
  `{ token_url = "http://127.0.0.1:${port}${path}", client_id = "bench", client_secret = ${SECRET} }`;

const exchange = (name: string, port: number, path: string): Entry => ({
  ...upstream(name, 'token', `token_exchange = ${endpoint(port, path)}`),
  headers: { ...kind('token'), ...bearer('opaque-token') },
});

/** Another subject token in each request. */
function exchangeCold(setting: Setting, port: number): Entry {
  const values = Array.from({ length: credentials.COLD }, (_, at) => `Bearer opaque-token-${at}-${setting.key}`);
  return {
    ...exchange('token exchange, with its request', port, '/token-once'),
    script: scriptOfValues(setting, 'token-exchange', 'authorization', values, kind('token')),
    calls: 1,
  };
}

const AWS = `aws = { service = "execute-api", region = "eu-central-1", access_key_id = "BENCH", secret_access_key = ${SECRET} }`;

/** What the origin accepts: patterns for `kind|Authorization|x-origin-key|Signature`. */
const ACCEPTED = [
  '^none\\|',
  `^fields\\|\\|${credentials.secret}\\|`,
  `^basic\\|Basic ${Buffer.from(`bench:${credentials.secret}`).toString('base64')}\\|`,
  `^consumer\\|Bearer ${credentials.secret}\\|`,
  `^token\\|Bearer ${services.ACCESS_TOKEN}\\|`,
  '^jwt\\|Bearer [^.]+\\.[^.]+\\.[^.]+\\|',
  '^aws\\|AWS4-HMAC-SHA256 Credential=BENCH/[^|]+Signature=',
  '^signature\\|\\|\\|sig1=:',
];

export const ownCredentials = scenario({
  name: 'upstream',
  title: 'the credentials of gw at a service',
  notes: [
    'the origin answers 200 only to a credential of the kind',
    'calls/request: the request to the origin, and the one to the token endpoint',
    'jwt, AWS and signature: made for each request',
  ],
  service: (setting) => services.checkingOrigin(setting, ACCEPTED),
  isOrigin: true,
  entries: (setting, port) => [
    { ...NOTHING, headers: kind('none') },
    upstream('fields', 'fields', `fields = { x-origin-key = ${SECRET} }`),
    upstream('basic', 'basic', `basic = { username = "bench", password = ${SECRET} }`),
    perConsumer(setting),
    upstream('client credentials, kept token', 'token', `oauth2 = ${endpoint(port, '/token')}`),
    exchange('token exchange, kept token', port, '/token'),
    exchangeCold(setting, port),
    upstream('jwt, ES256', 'jwt', 'jwt = { key = "${env:BENCH_EC}", audience = "origin", issuer = "bench" }'),
    upstream('AWS, Signature Version 4', 'aws', AWS),
    upstream('signature, Ed25519', 'signature', 'signature = { key_id = "bench", key = "${env:BENCH_ED}" }'),
  ],
});
