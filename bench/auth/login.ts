/** oidc: sessions of people who have signed in, and bearer tokens of the same issuer. */
import { randomBytes } from 'node:crypto';
import { MAX_SESSION, PolicyCookies } from '../../src/policies/oidc/cookies.js';
import { Sealer } from '../../src/policies/oidc/sealed.js';
import { SessionBox } from '../../src/policies/oidc/session.js';
import type { Setting } from '../proxy/setting.js';
import * as credentials from './credentials.js';
import { bearer } from './credentials.js';
import { type Entry, NOTHING } from './policies.js';
import { scriptOfValues } from './scripts.js';
import * as services from './services.js';
import { scenario } from './table.js';

const POLICY = 'login';
const COOKIE = 'gw-login';
const HOUR = 3_600_000;

const es256 = credentials.es256();
const env = { BENCH_SESSION: randomBytes(32).toString('hex'), BENCH_SECRET: credentials.secret };

const oidc = (port: number): string => `[policy.${POLICY}]
use = "oidc"
issuer = "${services.issuerUrl(port)}"
client_id = "bench"
client_secret = "\${env:BENCH_SECRET}"
base_url = "http://127.0.0.1"
session_secrets = ["\${env:BENCH_SESSION}"]
insecure_cookies = true
bearer = { audience = "bench" }
fields = { x-user = "sub" }
require_issuer = true
`;

/** The `Cookie` fields of people who have signed in, sealed as the policy does it at the end of a login. */
function sessions(port: number, people: number): string[] {
  const cookies = new PolicyCookies(COOKIE, false);
  const box = new SessionBox(new Sealer([env.BENCH_SESSION], `oidc ${POLICY}`), COOKIE, MAX_SESSION);
  const iss = services.issuerUrl(port);
  const now = Date.now();
  // For the logout at the issuer. Requests do not read it, so one serves all.
  const id = credentials.token(es256, 'person', iss);
  return Array.from({ length: people }, (_, at) => {
    const claims = {
      iss,
      sub: `person-${at}`,
      sid: `session-${at}`,
      name: `Person ${at}`,
      email: `p${at}@bench.example`,
    };
    const tokens = { from: now, until: now + HOUR, id };
    const sealed = box.seal({ id: randomBytes(16).toString('hex'), claims, created: now, used: now, tokens });
    if (sealed === undefined) throw new Error('the session is too large for cookies');
    const set = cookies.setSession(sealed, new Map());
    return set.map((cookie) => cookie.slice(0, cookie.indexOf(';'))).join('; ');
  });
}

const session = (port: number): Entry => ({
  name: 'oidc, one session',
  toml: oidc(port),
  policies: [POLICY],
  headers: { cookie: sessions(port, 1)[0]! },
  env,
});

/** Another session in each request: its cookie is decrypted each time. */
function sessionCold(setting: Setting, port: number): Entry {
  const values = sessions(port, credentials.COLD);
  return {
    name: 'oidc, another session in each request',
    toml: oidc(port),
    policies: [POLICY],
    headers: { cookie: values[0]! },
    script: scriptOfValues(setting, 'oidc-sessions', 'cookie', values),
    env,
  };
}

const token = (port: number): Entry => ({
  name: 'oidc, one bearer token',
  toml: oidc(port),
  policies: [POLICY],
  headers: bearer(credentials.token(es256, 'bench', services.issuerUrl(port))),
  env,
});

/** Another token in each request: its signature is verified each time. */
function tokenCold(setting: Setting, port: number): Entry {
  const values = credentials.tokens(es256, services.issuerUrl(port)).map((one) => `Bearer ${one}`);
  return {
    name: 'oidc, another bearer token in each request, ES256',
    toml: oidc(port),
    policies: [POLICY],
    headers: { authorization: values[0]! },
    script: scriptOfValues(setting, 'oidc-tokens', 'authorization', values),
    env,
  };
}

export const login = scenario({
  name: 'oidc',
  title: 'sessions and tokens of an OpenID Connect issuer',
  notes: [
    `${credentials.COLD} sessions and tokens: more than gw keeps results of`,
    'calls/request: those to the issuer; gw has its keys, and a session needs none',
  ],
  service: (setting) => services.issuer(setting, { ...es256.jwk, use: 'sig', alg: 'ES256', kid: 'bench' }),
  entries: (setting, port) => [
    NOTHING,
    session(port),
    sessionCold(setting, port),
    token(port),
    tokenCold(setting, port),
  ],
});
