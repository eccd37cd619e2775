/** Policies that ask another server about a request: with an answer that was kept, and with a call for each request. */
import type { Setting } from '../proxy/setting.js';
import * as credentials from './credentials.js';
import { bearer } from './credentials.js';
import * as peers from './peers.js';
import { apiKey, consumer, type Entry, KEYS, NOTHING } from './policies.js';
import { scriptOfValues } from './scripts.js';
import * as services from './services.js';
import { scenario } from './table.js';

const BESIDE_LOAD = 'nginx answers for the server that is asked, on the core of the load';
const COUNTED = 'calls/request: counted by that server; a line with others than it should have is void';

const introspection = (port: number): string =>
  `[policy.known]\nuse = "introspect"\nurl = "http://127.0.0.1:${port}/introspect"\n`;

const introspectCached = (port: number): Entry => ({
  name: 'introspect, one token',
  toml: introspection(port),
  policies: ['known'],
  headers: bearer('opaque-token'),
});

function introspectCold(setting: Setting, port: number): Entry {
  const values = Array.from({ length: credentials.COLD }, (_, at) => `Bearer opaque-token-${at}-${setting.key}`);
  return {
    name: 'introspect, with its request',
    // More answers fit into the memory of gw than there are tokens.
    toml: `${introspection(port)}cache = "0s"\n`,
    policies: ['known'],
    headers: { authorization: values[0]! },
    script: scriptOfValues(setting, 'introspect', 'authorization', values),
    calls: 1,
  };
}

/** `kept`: the answer is used again. */
const forwardAuth = (port: number, kept: boolean): Entry => ({
  name: kept ? 'forward-auth, kept answer' : 'forward-auth, with its request',
  toml: `[policy.decider]
use = "forward-auth"
url = "http://127.0.0.1:${port}/check"
take = ["x-user"]
${kept ? 'cache = { ttl = "1h" }\n' : ''}`,
  policies: ['decider'],
  headers: bearer('opaque-token'),
  calls: kept ? 0 : 1,
});

const authzen = ({ key }: Setting, port: number, kept: boolean): Entry => ({
  name: kept ? 'api-key + authzen, kept decision' : 'api-key + authzen, with its request',
  toml: `${KEYS}${consumer('bench', key)}
[policy.decisions]
use = "authzen"
url = "http://127.0.0.1:${port}"
${kept ? 'cache = { ttl = "1h" }\n' : ''}`,
  policies: ['keys', 'decisions'],
  headers: { 'x-api-key': key },
  calls: kept ? 0 : 1,
});

export const introspect = scenario({
  name: 'introspect',
  title: 'tokens that an authorization server knows',
  notes: [BESIDE_LOAD, COUNTED],
  service: services.introspectionServer,
  entries: (setting, port) => [NOTHING, introspectCached(port), introspectCold(setting, port)],
});

export const forward = scenario({
  name: 'forward-auth',
  title: 'a server that decides about each request',
  notes: [BESIDE_LOAD, COUNTED, 'nginx auth_request keeps no answers'],
  service: services.decisionServer,
  entries: (_, port) => [NOTHING, forwardAuth(port, true), forwardAuth(port, false)],
  peers: (setting, port) => [
    ...peers.nginxPlain(setting),
    ...peers.nginxAuthRequest(setting, port).map((one) => ({ ...one, calls: 1 })),
  ],
});

export const decisions = scenario({
  name: 'authzen',
  title: 'a decision point of the AuthZEN API',
  notes: [BESIDE_LOAD, COUNTED],
  service: services.decisionServer,
  entries: (setting, port) => [NOTHING, apiKey(setting), authzen(setting, port, true), authzen(setting, port, false)],
});
