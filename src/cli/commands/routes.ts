import type { RoutePlace } from '../../bundle/route-places.js';
import type { Json, Program, RefString } from '../../bundle/types.js';
import { defineCommand, gather, JSON_HELP, SPEC_OR_BUNDLE_HELP, type SpecOptions, withOverlays } from '../command.js';
import { EXIT } from '../exit-codes.js';

interface Options extends SpecOptions {
  readonly filter?: readonly string[];
  readonly json?: boolean;
}

export default defineCommand<Options, [spec: string | undefined]>({
  name: 'routes',
  group: 'Check',
  summary: 'List the routes in match order, with their policies and targets',
  details:
    'A request takes the first route of the list that matches it. A route with several hosts is listed at its most specific one. --filter keeps the routes whose name, match, service or policies contain the text; with several filters, all of them must match. A second table lists the services that their policies and actions call.',
  examples: [
    ['gw routes', 'all routes of the nearest gateway.toml'],
    ['gw routes --filter POST --filter orders', 'POST routes about orders'],
    ['gw routes release.bundle --json', 'of a bundle, as JSON'],
  ],
  configure(command) {
    command.argument('[spec]', SPEC_OR_BUNDLE_HELP);
    command.option('-f, --filter <route>', 'only routes that contain this text (repeatable)', gather);
    withOverlays(command).option('--json', JSON_HELP);
  },
  async run({ args: [spec], options, io }) {
    const { bundleOf } = await import('../spec.js');
    const { Trie } = await import('../../bundle/trie/trie.js');
    const { matchOrder } = await import('../../bundle/match/order.js');
    const { routePlaces } = await import('../../bundle/route-places.js');
    const bundle = await io.spin('Reading the spec', () => bundleOf(io, spec, options));
    const { program } = bundle;
    const trie = Trie.open(bundle.trie, { verified: true });
    const places = routePlaces(trie);
    const all = matchOrder(trie).flatMap((index) => routeRow(program, index, places.get(index)) ?? []);
    const routes = all.filter((route) => keeps(route, options.filter ?? []));
    const calls = calledServices(program, routes);
    if (options.json) {
      io.json({ version: 1, routes, calls });
      return EXIT.ok;
    }
    const { table } = await import('../table.js');
    const rows = routes.map((route) => [
      route.name,
      matchText(route),
      policiesText(route),
      route.service === null ? route.action.summary : `${route.service} (${route.targets.join(', ')})`,
    ]);
    io.write(
      table(['ROUTE', 'MATCH', 'POLICIES', 'TO'], rows, {
        strong: (text) => io.paint('bold', text),
        columns: io.columns,
      }),
    );
    if (calls.length > 0) {
      const called = calls.map(({ service, policies, routes, targets }) => [
        service,
        [...policies, ...routes.map((name) => `action of ${name}`)].join(', '),
        targets.join(', '),
      ]);
      const heads = ['CALLED SERVICE', 'BY', 'TARGETS'];
      io.write(`\n${table(heads, called, { strong: (text) => io.paint('bold', text), columns: io.columns })}`);
    }
    if (routes.length < all.length) io.note(`${routes.length} of ${all.length} routes`);
    return EXIT.ok;
  },
});

interface RouteRow {
  readonly name: string;
  readonly match: string;
  /** Null: any host. Of several hosts the first. */
  readonly host: string | null;
  /** If there are several. */
  readonly hosts?: readonly string[];
  /** If not every listener serves it. */
  readonly listeners?: readonly string[];
  readonly conditions: readonly string[];
  readonly policies: readonly string[];
  /** Policies of defaults and groups that the route removes, if any. */
  readonly without?: readonly string[];
  readonly action: { readonly use: string; readonly summary: string };
  /** Null if the action forwards no request. */
  readonly service: string | null;
  /** The only status of its replies, if the settings of the action say so. */
  readonly status: number | null;
  readonly targets: readonly string[];
  /** `file:line`. */
  readonly source: string | null;
}

/** A service that policies or actions of the listed routes call. */
interface CalledService {
  readonly service: string;
  /** False: the name is a URL in the config of a policy, and the spec declares no such service. */
  readonly declared: boolean;
  /** The policies that call it, and the routes whose actions call it. */
  readonly policies: readonly string[];
  readonly routes: readonly string[];
  readonly targets: readonly string[];
}

function calledServices(program: Program, listed: readonly RouteRow[]): CalledService[] {
  const names = new Set(listed.map(({ name }) => name));
  const rows = program.routes.filter(({ name }) => names.has(name));
  const signersOf = (called: readonly string[]): number[] => {
    const signers = program.services.flatMap(({ name, policies = [] }) => (called.includes(name) ? policies : []));
    return signers.map((name) => program.policies.findIndex((policy) => policy.name === name));
  };
  // Policies that others compose run on the routes of those, and policies that sign calls run for the callers.
  const used = new Set(rows.flatMap(({ action, policies }) => [...policies, ...signersOf(action.calls ?? [])]));
  for (const index of used) {
    const { members = [], calls = [] } = program.policies[index] ?? {};
    for (const each of [...members, ...signersOf(calls)]) used.add(each);
  }
  const callers = program.policies.filter((_, index) => used.has(index));
  return program.services.flatMap((service): CalledService[] => {
    const { name, implicit } = service;
    const policies = callers.filter(({ calls }) => calls?.includes(name)).map((policy) => policy.name);
    const routes = rows.filter(({ action }) => action.calls?.includes(name)).map((route) => route.name);
    if (policies.length + routes.length === 0) return [];
    return [{ service: name, declared: implicit !== true, policies, routes, targets: targetsOf(service) }];
  });
}

const targetsOf = ({ discover, run, targets }: Program['services'][number]): string[] => [
  ...(run === undefined ? [] : [run.command]),
  ...(discover === undefined ? [] : [`${discover.kind}:${discover.name}`]),
  ...targets.map(({ url }) => text(url)),
];

function routeRow(program: Program, index: number, place: RoutePlace | undefined): RouteRow | undefined {
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
    action: { use: route.action.use, summary: route.action.summary },
    service: service?.name ?? null,
    status: statusOf(route.action.settings),
    targets: service === undefined ? [] : targetsOf(service),
    source: file === undefined ? null : `${file}:${line}`,
  };
}

function statusOf(settings: Json): number | null {
  if (settings === null || typeof settings !== 'object' || !('status' in settings)) return null;
  return typeof settings.status === 'number' ? settings.status : null;
}

/** `GET api.example.com/orders if header x-beta is "1" on public`. */
function matchText({ match, host, hosts = host === null ? [] : [host], conditions, listeners }: RouteRow): string {
  const slash = match.indexOf('/');
  const whole = `${match.slice(0, slash)}${hosts.join(',')}${match.slice(slash)}`;
  const on = listeners === undefined ? '' : ` on ${listeners.join(', ')}`;
  return `${whole}${conditions.length === 0 ? '' : ` if ${conditions.join(' and ')}`}${on}`;
}

/** `cors, limit (without keys)`. */
function policiesText({ policies, without = [] }: RouteRow): string {
  const all = policies.join(', ') || '-';
  return without.length === 0 ? all : `${all} (without ${without.join(', ')})`;
}

const text = (value: RefString): string => (typeof value === 'string' ? value : value.$ref);

function keeps(route: RouteRow, filters: readonly string[]): boolean {
  const all = [route.name, matchText(route), route.service ?? route.action.summary, ...route.policies]
    .join('\n')
    .toLowerCase();
  return filters.every((filter) => all.includes(filter.toLowerCase()));
}
