/** What authentication costs, compared with a route without it, and with peers. */
import type { Scenario } from '../proxy/scenarios/scenario.js';
import { decisions, forward, introspect } from './asked.js';
import { bodies } from './bodies.js';
import { CERTIFICATES, certificates, forwardedMany, forwardedOne } from './certificates.js';
import * as credentials from './credentials.js';
import { login } from './login.js';
import * as peers from './peers.js';
import * as policies from './policies.js';
import { scriptOfValues } from './scripts.js';
import { added, scenario } from './table.js';
import { ownCredentials } from './upstream.js';

export const scenarios: readonly Scenario[] = [
  scenario({
    name: 'cached',
    title: 'the same credential in all requests',
    notes: ['HAProxy verifies the token, and nginx the password, in each request: they keep no results'],
    entries: (setting) => [
      policies.NOTHING,
      policies.apiKey(setting),
      policies.withPlan(setting),
      policies.withAllow(setting),
      policies.jwtCached(),
      policies.basicCached(setting),
      policies.anyOf(setting),
      forwardedOne(),
      policies.signed(setting),
      policies.blocked(setting),
      policies.GUARDED,
    ],
    peers: (setting) => [
      ...peers.nginxPlain(setting),
      ...peers.nginxBasic(setting),
      ...peers.haproxyPlain(setting),
      ...peers.haproxyJwt(setting, credentials.hs256, {
        authorization: `Bearer ${credentials.token(credentials.hs256)}`,
      }),
    ],
    targets: (lines) => added(lines, policies.JWT_CACHED, policies.NOTHING.name, 3),
  }),
  scenario({
    name: 'cold',
    title: 'another credential in each request',
    notes: [
      `${credentials.COLD} tokens, ${CERTIFICATES} certificates: more than gw keeps results of; ${credentials.CONSUMERS} keys`,
    ],
    entries: (setting) => [
      policies.NOTHING,
      policies.apiKeys(setting),
      policies.jwtCold(setting, credentials.hs256),
      policies.jwtCold(setting, credentials.rs256()),
      policies.jwtCold(setting, credentials.es256()),
      policies.anyOfKeys(setting),
      forwardedMany(setting),
      policies.signedOnce(setting),
    ],
    peers: (setting) => {
      const cold = (signer: credentials.Signer) => {
        const values = credentials.tokens(signer).map((token) => `Bearer ${token}`);
        const script = scriptOfValues(setting, `haproxy-${signer.alg}`, 'authorization', values);
        return { headers: { authorization: values[0]! }, script };
      };
      return [
        ...peers.haproxyPlain(setting),
        ...[credentials.hs256, credentials.rs256()].flatMap((signer) =>
          peers.haproxyJwt(setting, signer).map((one) => ({ ...one, ...cold(signer) })),
        ),
      ];
    },
  }),
  scenario({
    name: 'password',
    title: 'passwords that are not known yet, 4 connections',
    connections: 4,
    notes: ['the hash dominates: it runs in threads beside the one of the requests, and their CPU counts too'],
    entries: (setting) => [policies.NOTHING, policies.basicCold(setting)],
  }),
  introspect,
  forward,
  decisions,
  login,
  certificates,
  bodies,
  ownCredentials,
];
