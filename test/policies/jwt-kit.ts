/** Tokens and keys for the tests of jwt. */
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import type { Authentication, Exchange, Json, PolicyInstance } from '../../src/policies/contract.js';
import { runHalves } from '../../src/policies/run-registry.js';
import { compile, exchange, host, noBody, type World, world } from './support.js';

/** Seconds since 1970 of the test's clock. */
export const NOW = 1_800_000_000;

export interface Signer {
  readonly kid: string;
  readonly alg: string;
  readonly jwk: JWK;
  readonly privateKey: CryptoKey;
}

export async function signer(alg = 'ES256', kid = 'k1'): Promise<Signer> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, jwk: { ...(await exportJWK(publicKey)), kid }, privateKey };
}

export const CLAIMS = { iss: 'https://id.example.com', aud: 'orders', sub: 'ann', exp: NOW + 600, iat: NOW - 10 };

export function sign(
  { alg, kid, privateKey }: Signer,
  claims: { readonly [name: string]: unknown } = CLAIMS,
  header: { readonly [name: string]: unknown } = {},
): Promise<string> {
  return new SignJWT({ ...claims }).setProtectedHeader({ alg, kid, ...header }).sign(privateKey);
}

const encode = (value: string | object): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A token whose parts are exactly these; `signature` is base64url. */
export const forged = (header: string | object, payload: string | object, signature = 'AAAA'): string =>
  `${encode(header)}.${encode(payload)}.${signature}`;

export interface TestPolicy {
  readonly policy: PolicyInstance;
  readonly around: World;
  readonly asked: Json[];
  /** Authenticates a request with this token. */
  on(token: string | undefined, given?: Parameters<typeof exchange>[0]): Promise<Authentication>;
}

/** The settings of a policy whose secret is resolved. */
export function withSecret(text: string, secret: string): Json {
  const settings = JSON.parse(JSON.stringify(compile('jwt', text))) as { readonly trusted: readonly object[] };
  return {
    ...settings,
    trusted: settings.trusted.map((one) => ({ ...one, source: { from: 'secret', secret } })),
  } as Json;
}

export const withToken = (token: string | undefined, given: Parameters<typeof exchange>[0] = {}): Exchange =>
  exchange({ headers: token === undefined ? [] : [['authorization', `Bearer ${token}`]], ...given });

/** A policy with these keys in the file `keys.json`, or with a key set by URL if the text has `jwks`. */
export function jwt(
  text: string,
  options: {
    keys?: readonly object[];
    file?: string;
    ask?: (question: Json) => Promise<Json>;
    consumers?: string[];
    around?: World;
  } = {},
): TestPolicy {
  const around = Object.assign(options.around ?? world(), { wall: NOW * 1000 });
  around.consumers.push(...(options.consumers ?? []).map((name) => ({ name, groups: [], credentials: [], tags: {} })));
  const readFile = (): { text: string } => ({ text: options.file ?? JSON.stringify({ keys: options.keys ?? [] }) });
  const whole = /^(jwks|secret|keys) /m.test(text) ? text : `keys = ["keys.json"]\n${text}`;
  const settings = JSON.parse(JSON.stringify(compile('jwt', whole, { readFile }))) as Json;
  const asked: Json[] = [];
  const ask = (question: Json): Promise<Json> => {
    asked.push(question);
    return options.ask?.(question) ?? Promise.reject(new Error('no duty'));
  };
  const policy = runHalves['jwt']!(settings, { ...host(around), ask });
  const on = async (token: string | undefined, given = {}): Promise<Authentication> =>
    policy.authenticate!(withToken(token, given), noBody);
  return { policy, around, asked, on };
}

/** What a refusal says to the client, or the outcome. */
export const said = (found: Authentication): string =>
  found.outcome === 'refused' ? (found.problem.detail ?? found.problem.title) : found.outcome;
