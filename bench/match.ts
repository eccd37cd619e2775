/** Time per match on real route tables, compared with find-my-way and rou3. */
import { Matcher } from '../src/bundle/match/match.js';
import { Trie } from '../src/bundle/trie/trie.js';
import type { RequestView } from '../src/bundle/types.js';
import { compile } from '../src/compiler/index.js';
import {
  type Benchmark,
  type BenchOptions,
  type Contestant,
  interleave,
  Peers,
  type Report,
  ratio,
  type Standing,
  shuffled,
  type Table,
  timed,
  verdict,
} from './kit.js';
import { modelOf } from './model.js';
import { type BenchRoute, directoryRoutes, examplePath, githubRoutes } from './tables.js';

interface Request {
  readonly method: string;
  readonly path: string;
  readonly route: number;
}

interface Router {
  readonly name: string;
  /** Index of the route, or -1. */
  find(method: string, path: string): number;
}

interface FindMyWay {
  on(method: string, path: string, handler: () => void, store: number): void;
  find(method: string, path: string): { readonly store: number } | null;
}

interface Rou3 {
  createRouter(): unknown;
  addRoute(router: unknown, method: string, path: string, data: number): void;
  findRoute(router: unknown, method: string, path: string): { readonly data: number } | undefined;
}

/** The request as the matcher sees it; one reused object, like the exchange of the engine. */
class View implements RequestView {
  method = '';
  host = 'gateway.test';
  path = '';
  query = '';
  listener = 'main';
  scheme = 'http' as const;
  header(): undefined {
    return undefined;
  }
}

class GwRouter implements Router {
  readonly name: string = 'gw';
  protected readonly view = new View();
  constructor(protected readonly matcher: Matcher) {}
  find(method: string, path: string): number {
    this.view.method = method;
    this.view.path = path;
    return this.matcher.match(this.view);
  }
}

/** Extracts every parameter as a string, as the peers do on each match; gw does so only when a parameter is read. */
class GwWithParams extends GwRouter {
  override readonly name = 'gw, parameters as strings';
  values: string[] = [];
  override find(method: string, path: string): number {
    const route = super.find(method, path);
    this.values = [];
    for (let i = 0; i < this.matcher.paramCount; i++) {
      this.values.push(path.slice(this.matcher.paramStart(i), this.matcher.paramEnd(i)));
    }
    return route;
  }
}

const colonPath = ({ segments }: BenchRoute): string =>
  `/${segments.map((segment, i) => segment ?? `:p${i}`).join('/')}`;

async function peerRouters(peers: Peers, routes: readonly BenchRoute[]): Promise<Router[]> {
  const routers: Router[] = [];
  const findMyWay = (await peers.load('find-my-way')) as { default: (options: object) => FindMyWay } | undefined;
  if (findMyWay !== undefined) {
    const router = findMyWay.default({ caseSensitive: true });
    for (const [index, route] of routes.entries()) router.on(route.method, colonPath(route), () => {}, index);
    routers.push({ name: 'find-my-way', find: (method, path) => router.find(method, path)?.store ?? -1 });
  }
  const rou3 = (await peers.load('rou3')) as Rou3 | undefined;
  if (rou3 !== undefined) {
    const router = rou3.createRouter();
    for (const [index, route] of routes.entries()) rou3.addRoute(router, route.method, colonPath(route), index);
    routers.push({ name: 'rou3', find: (method, path) => rou3.findRoute(router, method, path)?.data ?? -1 });
  }
  return routers;
}

/** Requests for which all routers find the same route. */
function agreed(routers: readonly Router[], requests: readonly Request[]): Request[] {
  return requests.filter(({ method, path, route }) => routers.every((router) => router.find(method, path) === route));
}

function contestant(router: Router, requests: readonly Request[]): Contestant {
  const repeats = Math.max(1, Math.round(100_000 / requests.length));
  return {
    name: router.name,
    measure() {
      let wrong = 0;
      const time = timed(() => {
        for (let i = 0; i < repeats; i++) {
          for (const { method, path, route } of requests) if (router.find(method, path) !== route) wrong++;
        }
      });
      if (wrong > 0) throw new Error(`${router.name} gave a different result ${wrong} times.`);
      return time / repeats / requests.length;
    },
  };
}

function compiled(routes: readonly BenchRoute[], shared: boolean): { matcher: Matcher; bytes: number; ms: number } {
  const model = modelOf(routes);
  const start = performance.now();
  const { bundle } = compile(model, { shared });
  const ms = performance.now() - start;
  return { matcher: new Matcher(Trie.open(bundle.trie)), bytes: bundle.trie.byteLength, ms };
}

/** `count` requests in random order, spread evenly over the routes, each with different parameters. */
function requestsOf(routes: readonly BenchRoute[], count = routes.length): Request[] {
  const requests = Array.from({ length: count }, (_, i): Request => {
    const index = i % routes.length;
    const route = routes[index]!;
    return { method: route.method, path: examplePath(route, i), route: index };
  });
  return shuffled(requests, 7);
}

function standingsTable(title: string, standings: readonly Standing[]): Table {
  const own = standings[0]!.median;
  return {
    title,
    columns: ['router', 'ns/match', 'matches/s', 'time relative to gw'],
    rows: standings.map(({ name, median }) => [
      name,
      median.toFixed(0),
      Math.round(1e9 / median).toLocaleString('en'),
      ratio(median, own),
    ]),
  };
}

interface Outcome {
  readonly table: Table;
  readonly notes: string[];
}

async function race(
  title: string,
  routes: readonly BenchRoute[],
  target: number,
  peers: Peers,
  { rounds, progress }: BenchOptions,
): Promise<Outcome> {
  progress(`${title}: ${routes.length} routes`);
  const { matcher, bytes, ms } = compiled(routes, true);
  const others = await peerRouters(peers, routes);
  const gw = new GwRouter(matcher);
  const all = requestsOf(routes);
  const requests = agreed([gw, ...others], all);
  const routers = [gw, new GwWithParams(matcher), ...others];
  const standings = interleave(
    routers.map((router) => contestant(router, requests)),
    rounds,
  );
  const notes = [
    `${title}: ${routes.length} routes compiled in ${ms.toFixed(0)} ms, trie of ${(bytes / 1e6).toFixed(1)} MB in a SharedArrayBuffer`,
    `${title}: timed ${requests.length} of ${all.length} requests, those on which all routers agree`,
  ];
  const findMyWay = standings.find(({ name }) => name === 'find-my-way');
  if (findMyWay !== undefined) {
    const factor = findMyWay.median / standings[0]!.median;
    notes.push(
      verdict(
        factor >= target,
        `${title}: ${factor.toFixed(1)} times find-my-way's matches per second (at least ${target})`,
      ),
    );
  }
  return { table: standingsTable(title, standings), notes };
}

/**
 * Time per match at 1,000 to 100,000 routes of one table. Each size gets the same number of different requests, so that
 * reading the paths costs the same.
 */
function growth(routes: readonly BenchRoute[], { rounds, progress }: BenchOptions): Outcome {
  const sizes = [1000, 10_000, 100_000].filter((size) => size <= routes.length);
  progress(`growth: ${sizes.join(', ')} routes`);
  const mixed = shuffled(routes, 11);
  const contestants = sizes.map((size) => {
    const some = mixed.slice(0, size);
    const gw = new GwRouter(compiled(some, true).matcher);
    return {
      ...contestant(gw, agreed([gw], requestsOf(some, sizes.at(-1)))),
      name: `${size.toLocaleString('en')} routes`,
    };
  });
  const standings = interleave(contestants, rounds);
  const first = standings[0]!.median;
  const factor = standings.at(-1)!.median / first;
  return {
    table: {
      title: 'gw, by number of routes (a random selection from the directory)',
      columns: ['routes', 'ns/match', 'relative to 1,000'],
      rows: standings.map(({ name, median }) => [name, median.toFixed(0), ratio(median, first)]),
    },
    notes: [verdict(factor <= 2, `${ratio(factor, 1)} the time per match at ${sizes.at(-1)} routes (at most 2x)`)],
  };
}

async function run(options: BenchOptions): Promise<Report> {
  const peers = new Peers();
  const outcomes: Outcome[] = [];
  const github = githubRoutes(peers);
  if (github !== undefined) outcomes.push(await race("GitHub's REST API", github, 4, peers, options));
  const directory = directoryRoutes(peers);
  if (directory !== undefined) {
    outcomes.push(await race('OpenAPI directory', directory, 8, peers, options));
    outcomes.push(growth(directory, options));
  }
  return {
    title: 'match',
    tables: outcomes.map(({ table }) => table),
    notes: outcomes.flatMap(({ notes }) => notes),
    peers: { found: [...new Set(peers.found)], missing: [...new Set(peers.missing)] },
  };
}

const benchmark: Benchmark = { name: 'match', summary: 'time per match, compared with find-my-way and rou3', run };
export default benchmark;
