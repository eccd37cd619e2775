/** What authentication costs, compared with a route without it, and with peers. */

import { median } from '../kit.js';
import { type Contestant, gw, HAPROXY, NGINX } from '../proxy/contestants.js';
import { gwEnv } from '../proxy/gw.js';
import { RACE_COLUMNS, race } from '../proxy/race.js';
import type { Scenario } from '../proxy/scenarios/scenario.js';
import type { Line, Section, Target } from '../proxy/section.js';
import type { Setting } from '../proxy/setting.js';
import * as credentials from './credentials.js';
import * as peers from './peers.js';
import * as policies from './policies.js';

const contestant = (setting: Setting, { name, toml, policies: chain, headers, env }: policies.Entry): Contestant => ({
  ...gw(setting, name, { extra: toml, policies: chain }),
  headers,
  env: { ...gwEnv(setting), ...env },
});

/** Microseconds that one line has more than another, in the median of the rounds. */
function added(lines: readonly Line[], of: string, to: string, most: number): Target[] {
  const figures = (name: string): readonly number[] => lines.find((line) => line.name === name)?.figures['cpu'] ?? [];
  const [one, other] = [figures(of), figures(to)];
  const measured =
    one.length === 0 || one.length !== other.length ? undefined : median(one.map((cpu, round) => cpu - other[round]!));
  const text = `${of}: at most ${most} us of CPU more than ${to}`;
  return [{ text, met: measured !== undefined && measured <= most, measured, most }];
}

interface Table {
  readonly name: string;
  readonly title: string;
  readonly notes: readonly string[];
  /** Default: 64. */
  readonly connections?: number;
  readonly entries: (setting: Setting) => readonly policies.Entry[];
  readonly peers: (setting: Setting) => readonly (Contestant & { readonly script?: string })[];
  readonly targets?: (lines: readonly Line[]) => readonly Target[];
}

function scenario({ name, title, notes, connections = 64, entries, peers: others, targets }: Table): Scenario {
  return {
    name,
    summary: title,
    run: async (setting) => {
      const own = entries(setting);
      const beside = others(setting);
      const scripts = new Map([...own, ...beside].map((one) => [one.name, one.script]));
      const all = [...own.map((entry) => contestant(setting, entry)), ...beside];
      return setting.with(all, async (entrants) => {
        const lines = await race(setting, entrants, {
          connections,
          path: '/items/1',
          script: (line) => scripts.get(line) as string,
        });
        const section: Section = {
          scenario: name,
          title,
          columns: RACE_COLUMNS,
          lead: 'cpu',
          against: [policies.NOTHING.name, NGINX, HAPROXY],
          lines,
          targets: targets?.(lines) ?? [],
          notes,
        };
        return [section];
      });
    },
  };
}

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
    notes: [`${credentials.COLD} tokens, ${credentials.CONSUMERS} keys: more than gw keeps results of`],
    entries: (setting) => {
      const { rs256, es256 } = credentials.pairs();
      return [
        policies.NOTHING,
        policies.apiKeys(setting),
        policies.jwtCold(setting, credentials.hs256),
        policies.jwtCold(setting, rs256),
        policies.jwtCold(setting, es256),
      ];
    },
    peers: (setting) => {
      const { rs256 } = credentials.pairs();
      const cold = (signer: credentials.Signer): Pick<policies.Entry, 'headers' | 'script'> => {
        const values = credentials.tokens(signer).map((token) => `Bearer ${token}`);
        const script = credentials.scriptOfValues(setting, `haproxy-${signer.alg}`, 'authorization', values);
        return { headers: { authorization: values[0]! }, script };
      };
      return [
        ...peers.haproxyPlain(setting),
        ...[credentials.hs256, rs256].flatMap((signer) =>
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
    peers: () => [],
  }),
  {
    name: 'introspect',
    summary: 'tokens that an authorization server knows',
    run: async (setting) => {
      const servers = peers.introspectionServer(setting);
      return setting.with(
        servers,
        async ([server]) => {
          if (server?.running === undefined) return [];
          const port = Number(new URL(server.running.url('/')).port);
          return scenario({
            name: 'introspect',
            title: 'tokens that an authorization server knows',
            notes: ['nginx answers for the authorization server, on the core of the load'],
            entries: (inner) => [
              policies.NOTHING,
              policies.introspectCached(port),
              policies.introspectCold(inner, port),
            ],
            peers: () => [],
          }).run(setting);
        },
        { path: '/', cores: setting.loadCore },
      );
    },
  },
];
