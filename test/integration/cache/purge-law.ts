/**
 * The law of invalidation, in random histories over two workers: nothing that was asked for before an invalidation answers a request
 * that arrives after the invalidation was answered. The origin has versions: an invalidation begins when there is a new one.
 */
import type { Socket } from 'node:net';
import { MessageChannel } from 'node:worker_threads';
import type { Test } from 'uvu';
import * as assert from 'uvu/assert';
import { create } from '../../../src/policies/cache/run.js';
import type { ContentSelector, ContentStore } from '../../../src/policies/contract.js';
import { DiskClient } from '../../../src/state/content/disk/client.js';
import { DiskMemory } from '../../../src/state/content/disk/memory.js';
import { TieredContents } from '../../../src/state/content/disk/tiered.js';
import { MemoryContents } from '../../../src/state/content/memory/index.js';
import type { ContentSpace } from '../../../src/state/content/types.js';
import { allocateState, type StateMemory } from '../../../src/state/memory.js';
import { systemAfter } from '../../../src/state/timers.js';
import { compile } from '../../policies/support.js';
import { removeStoreFolders, serveStore } from '../../state/content/disk/kit.js';
import { DelayedContents, selects } from '../../support/delayed-contents.js';
import { seededBelow } from '../../support/random.js';
import { withPolicies } from '../../support/test-policies.js';
import { turn } from '../../support/until.js';
import { type Arrived, FaultTarget, Plane, TestTime } from '../engine-kit.js';
import { requestText, specOf, wire } from './kit.js';

const HOST = 'http://a.example';
const PATHS = ['/a/1', '/a/2', '/b/1'];
const STEPS = 150;

const namesOf = (path: string) => ({ url: HOST + path, route: 'all', tags: ['every', `page-${path.slice(3)}`] });

const SELECTORS: readonly ContentSelector[] = [
  ...PATHS.map((path) => ({ by: 'url', value: HOST + path }) as const),
  { by: 'url', value: `${HOST}/a/*` },
  { by: 'route', value: 'all' },
  { by: 'tag', value: 'page-1' },
  { by: 'tag', value: 'every' },
  { by: 'all' },
];

interface Held {
  readonly request: Arrived;
  readonly socket: Socket;
  /** Of its path, when it arrived. */
  readonly version: number;
  begun: boolean;
}

/** Where both workers keep contents, and how control reaches them. */
interface Store {
  content(worker: number): ContentSpace;
  readonly control: ContentStore;
  close(): Promise<void>;
}

const OPTIONS = { maxEntry: 1024 * 1024, admission: true, disk: true };

function inMemory({ content }: StateMemory, now: () => number): Store {
  const open = (worker?: number): ContentSpace => new MemoryContents(content!, now, worker);
  return { content: open, control: open().store('c', OPTIONS), close: async () => {} };
}

function late(): Store {
  const after = (ms: number, work: () => void) => {
    const timer = setTimeout(work, ms);
    return () => clearTimeout(timer);
  };
  const space = new DelayedContents({ after, delay: 1 });
  return { content: () => space, control: space.store('c', OPTIONS), close: async () => {} };
}

function onDisk(state: StateMemory, now: () => number): Store {
  const memory = new DiskMemory(state.disk);
  const served = serveStore({ memory, now });
  const open = (worker?: number): ContentSpace => {
    const disk = new DiskClient({ memory, after: systemAfter });
    const { port1, port2 } = new MessageChannel();
    served.server.connect(port2);
    disk.connect(port1);
    return new TieredContents({ memory: new MemoryContents(state.content!, now, worker), disk, now });
  };
  return { content: open, control: open().store('c', OPTIONS), close: () => served.close() };
}

class History {
  readonly below: (below: number) => number;
  readonly versions = new Map(PATHS.map((path) => [path, 1]));
  /** The oldest version that may answer a request that arrives now. */
  readonly floors = new Map(PATHS.map((path) => [path, 1]));
  readonly held: Held[] = [];
  readonly running = new Set<Promise<void>>();
  readonly soft: boolean;
  now = Date.UTC(2030, 0, 1);
  planes: Plane[] = [];
  store!: Store;
  hits = 0;
  broken: string | undefined;

  constructor(seed: number, soft: boolean) {
    this.below = seededBelow(seed);
    this.soft = soft;
  }

  respond(request: Arrived, socket: Socket): void {
    const path = request.url;
    if (request.method === 'POST') {
      const version = this.versions.get(path)! + 1;
      this.versions.set(path, version);
      socket.write(wire({ fields: { 'x-version': String(version) } }));
    } else this.held.push({ request, socket, version: this.versions.get(path)!, begun: false });
  }

  async step(): Promise<void> {
    const choice = this.below(100);
    if (choice < 40 && this.running.size < 12) this.#ask();
    else if (choice < 70) this.answer();
    else if (choice < 80) this.#run(this.#purge());
    else if (choice < 85) this.#run(this.#post(this.#path()));
    else if (choice < 90) this.now += this.below(8) * 1000;
    else await new Promise((resolve) => setTimeout(resolve, this.below(4)));
    for (let turns = this.below(4); turns > 0; turns--) await turn();
  }

  #path(): string {
    return PATHS[this.below(PATHS.length)]!;
  }

  #run(work: Promise<void>): void {
    const one: Promise<void> = work.finally(() => this.running.delete(one));
    this.running.add(one);
  }

  #ask(): void {
    const path = this.#path();
    const method = this.below(10) === 0 ? 'HEAD' : 'GET';
    const floor = this.floors.get(path)!;
    const worker = this.below(2);
    const fields = this.below(5) === 0 ? { 'cache-control': 'no-cache' } : {};
    const asked = this.planes[worker]!.ask(requestText(path, fields, method), { head: method === 'HEAD' });
    this.#run(
      asked.then((reply) => {
        const version = Number(reply.header('etag')?.slice(1, -1));
        const status = reply.header('cache-status') ?? '';
        if (status.includes('hit')) this.hits++;
        const whole = method === 'HEAD' || reply.body.toString() === `${path} ${version}`;
        if (version >= floor && whole) return;
        this.broken ??= `${method} ${path} to worker ${worker} got version ${version}, and not ${floor}: ${status}`;
      }),
    );
  }

  /** The origin answers one of the requests that it holds, or the head of it. */
  answer(whole = this.below(3) > 0): void {
    const at = this.below(this.held.length);
    const one = this.held[at];
    if (one === undefined) return;
    const { request, socket, version, begun } = one;
    const path = request.url;
    const fields = {
      etag: `"${version}"`,
      'cache-control': `max-age=10${this.soft ? '' : ', stale-while-revalidate=10'}`,
      'cache-tag': namesOf(path).tags.join(', '),
    };
    const valid = request.header('if-none-match') === fields.etag;
    const reply = wire({ status: valid ? 304 : 200, fields, body: `${path} ${version}` }, request.method === 'HEAD');
    const cut = whole || reply.length < 20 ? reply.length : reply.length - 3;
    socket.write(begun ? reply.subarray(reply.length - 3) : reply.subarray(0, cut));
    if (begun || cut === reply.length) this.held.splice(at, 1);
    else one.begun = true;
  }

  async #post(path: string): Promise<void> {
    const reply = await this.planes[this.below(2)]!.ask(requestText(path, {}, 'POST'));
    this.#answered([path], new Map([[path, Number(reply.header('x-version'))]]));
  }

  async #purge(): Promise<void> {
    const selector = SELECTORS[this.below(SELECTORS.length)]!;
    const paths = PATHS.filter((path) => selects(selector, namesOf(path)));
    const versions = new Map(paths.map((path) => [path, this.versions.get(path)! + 1]));
    for (const [path, version] of versions) this.versions.set(path, version);
    await this.store.control.purge(selector, this.soft && this.below(2) === 0);
    this.#answered(paths, versions);
  }

  #answered(paths: readonly string[], versions: ReadonlyMap<string, number>): void {
    for (const path of paths) this.floors.set(path, Math.max(this.floors.get(path)!, versions.get(path)!));
  }

  async end(): Promise<void> {
    while (this.running.size > 0) {
      this.answer(true);
      await turn();
    }
  }
}

type StoreKind = 'memory' | 'a late store' | 'disk';

/** Runs the history of a seed, in which some purges are soft or else stale replies are used. @returns how often a stored reply was used */
async function runHistory(seed: number, kind: StoreKind, soft: boolean): Promise<number> {
  const history = new History(seed, soft);
  const target = await FaultTarget.start();
  target.respond = (request, socket) => history.respond(request, socket);
  const state = allocateState({ workers: 2, small: true });
  const now = (): number => history.now;
  history.store = kind === 'memory' ? inMemory(state, now) : kind === 'disk' ? onDisk(state, now) : late();
  const settings = compile('cache', '')!;
  for (const worker of [0, 1]) {
    const monotonic = new TestTime().now;
    const plane = await Plane.start(specOf(target.url, '', ''), {
      state,
      worker,
      monotonic,
      clock: { now, monotonic },
    });
    const space = history.store.content(worker);
    const content = <Data>() => space.store<Data>('c', OPTIONS);
    const policy = withPolicies([{ run: (host) => create(settings, { ...host, content }) }]);
    await plane.load(specOf(target.url, '', ''), policy);
    history.planes.push(plane);
  }
  try {
    for (let step = 0; step < STEPS && history.broken === undefined; step++) await history.step();
    await history.end();
    assert.is(history.broken, undefined, `seed ${seed}, ${kind}: ${history.broken}`);
    return history.hits;
  } finally {
    for (const plane of history.planes) await plane.close();
    await target.close();
    await history.store.close();
  }
}

/** Adds the tests of the law: for each kind of store, `seeds` histories with soft purges, and as many with stale replies. */
export function addLaw(test: Test, seeds: Readonly<Record<StoreKind, number>>): void {
  test.after(removeStoreFolders);
  for (const [kind, count] of Object.entries(seeds) as [StoreKind, number][])
    for (const soft of [false, true])
      test(`the law holds: ${kind}, ${soft ? 'hard and soft purges' : 'hard purges, stale replies while they are fetched'}`, async () => {
        let hits = 0;
        for (let seed = 1; seed <= count; seed++) hits += await runHistory(seed, kind, soft);
        assert.ok(hits > count, `${hits} hits`);
      });
}
