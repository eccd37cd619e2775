import type { RoutePlace } from '../../bundle/route-places.js';
import type { Program, RefString } from '../../bundle/types.js';
import { defineCommand, gather, JSON_HELP, SPEC_HELP, type SpecOptions, withOverlays } from '../command.js';
import { EXIT } from '../exit.js';

interface Options extends SpecOptions {
  readonly filter?: readonly string[];
  readonly json?: boolean;
}

export default defineCommand<Options, [spec: string | undefined]>({
  name: 'routes',
  summary: 'List the routes in match order, with their policies and targets',
  details:
    'A request takes the first route of the list that matches it; a route with several hosts stands where the most specific\none does, and of two hosts that match the more specific one counts. A filter keeps the routes whose name, match, service or\npolicies contain it; of several filters all must.',
  examples: [
    ['gw routes', 'all routes of the gateway.toml here'],
    ['gw routes --filter POST --filter orders', 'what can be posted to orders'],
    ['gw routes release.bundle --json', 'of a bundle, for a program'],
  ],
  configure(command) {
    command.argument('[spec]', `${SPEC_HELP}, or a bundle`);
    command.option('-f, --filter <text>', 'only routes that contain this (repeatable)', gather);
    withOverlays(command).option('--json', JSON_HELP);
  },
  async run({ args: [spec], options, io }) {
    const { bundleOf } = await import('../source.js');
    const { Trie } = await import('../../bundle/trie/trie.js');
    const { matchOrder } = await import('../../bundle/match/order.js');
    const { routePlaces } = await import('../../bundle/route-places.js');
    const bundle = await io.spin('Reading the spec', () => bundleOf(io, spec, options));
    const { program } = bundle;
    const trie = Trie.open(bundle.trie, { verified: true });
    const places = routePlaces(trie);
    const all = matchOrder(trie).flatMap((index) => routeFacts(program, index, places.get(index)) ?? []);
    const routes = all.filter((facts) => keeps(facts, options.filter ?? []));
    if (options.json) {
      io.json({ version: 1, routes });
      return EXIT.ok;
    }
    const { table } = await import('../table.js');
    const rows = routes.map((route) => [
      route.name,
      matchText(route),
      policiesText(route),
      route.service === null ? `reply ${route.status}` : `${route.service} (${route.targets.join(', ')})`,
    ]);
    io.write(table(['ROUTE', 'MATCH', 'POLICIES', 'TO'], rows, (text) => io.paint('bold', text)));
    if (routes.length < all.length) io.note(`${routes.length} of ${all.length} routes`);
    return EXIT.ok;
  },
});

interface RouteFacts {
  readonly name: string;
  readonly match: string;
  /** Null: any host; of several the first. */
  readonly host: string | null;
  /** Where there are several. */
  readonly hosts?: readonly string[];
  /** Where not every listener serves it. */
  readonly listeners?: readonly string[];
  readonly conditions: readonly string[];
  readonly policies: readonly string[];
  /** Policies of defaults and groups that were taken away from it, if any. */
  readonly without?: readonly string[];
  /** Null for a route that answers by itself. */
  readonly service: string | null;
  /** Status of the reply of a route that answers by itself. */
  readonly status: number | null;
  readonly targets: readonly string[];
  /** `file:line`. */
  readonly source: string | null;
}

function routeFacts(program: Program, index: number, place: RoutePlace | undefined): RouteFacts | undefined {
  const route = program.routes[index];
  if (!route) return undefined;
  const service = program.services[route.service];
  const { hosts = [], listeners = [] } = place ?? {};
  const { file, line } = route.source;
  return {
    name: route.name,
    match: route.match,
    host: hosts[0] ?? null,
    ...(hosts.length > 1 ? { hosts } : {}),
    ...(listeners.length > 0 ? { listeners } : {}),
    conditions: place?.conditions ?? [],
    policies: route.policies.flatMap((index) => program.policies[index]?.name ?? []),
    ...(route.without === undefined ? {} : { without: route.without }),
    service: service?.name ?? null,
    status: route.reply?.status ?? null,
    targets: service?.run
      ? [service.run.command, ...service.targets.map(({ url }) => text(url))]
      : (service?.targets ?? []).map(({ url }) => text(url)),
    source: file === undefined ? null : `${file}:${line}`,
  };
}

/** `GET api.example.com/orders if header x-beta is "1" on public`. */
function matchText({ match, host, hosts = host === null ? [] : [host], conditions, listeners }: RouteFacts): string {
  const slash = match.indexOf('/');
  const whole = `${match.slice(0, slash)}${hosts.join(',')}${match.slice(slash)}`;
  const on = listeners === undefined ? '' : ` on ${listeners.join(', ')}`;
  return `${whole}${conditions.length === 0 ? '' : ` if ${conditions.join(' and ')}`}${on}`;
}

/** `cors, limit (without keys)`. */
function policiesText({ policies, without = [] }: RouteFacts): string {
  const all = policies.join(', ') || '-';
  return without.length === 0 ? all : `${all} (without ${without.join(', ')})`;
}

const text = (value: RefString): string => (typeof value === 'string' ? value : value.$ref);

function keeps(route: RouteFacts, filters: readonly string[]): boolean {
  const all = [route.name, matchText(route), route.service ?? '', ...route.policies].join('\n').toLowerCase();
  return filters.every((filter) => all.includes(filter.toLowerCase()));
}
