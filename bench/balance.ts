/** Time to choose a target, for each algorithm and several numbers of targets. */
import type { BalanceEntry } from '../src/bundle/service/balance.js';
import { Selection } from '../src/proxy/upstream/balance/selection.js';
import { Sticky } from '../src/proxy/upstream/balance/sticky.js';
import { TestRequest, TestTarget } from '../test/support/candidates.js';
import { seeded } from '../test/support/random.js';
import { type Benchmark, type BenchOptions, interleave, type Report } from './kit.js';

const SIZES = [2, 3, 10, 100, 1000];
const KEYS = 1024;

interface Case {
  readonly name: string;
  readonly balance?: BalanceEntry;
  /** Weights 1, 2, 3, 1, ... instead of equal ones. */
  readonly weighted?: true;
  readonly facts?: (index: number) => { readonly zone?: string; readonly priority?: number };
  readonly zone?: string;
  readonly sticky?: true;
}

const HASH: BalanceEntry = { kind: 'hash', keys: [{ from: 'header', name: 'x-user' }] };

const CASES: readonly Case[] = [
  { name: 'round robin' },
  { name: 'random', balance: { kind: 'random' } },
  { name: 'random, weights', balance: { kind: 'random' }, weighted: true },
  { name: 'least request', balance: { kind: 'least-request' } },
  { name: 'ewma', balance: { kind: 'ewma' } },
  { name: 'hash', balance: HASH },
  { name: 'hash, weights', balance: HASH, weighted: true },
  { name: 'hash, max_load', balance: { ...HASH, maxLoad: 1.25 } },
  { name: 'round robin, two zones', zone: 'a', facts: (index) => ({ zone: index % 2 === 0 ? 'a' : 'b' }) },
  { name: 'sticky cookie', sticky: true },
];

function targetsOf({ weighted, facts }: Case, size: number): TestTarget[] {
  return Array.from(
    { length: size },
    (_, index) =>
      new TestTarget(`http://10.0.${index >> 8}.${index & 255}:8080`, {
        ...(weighted === true ? { weight: 1 + (index % 3) } : {}),
        ...facts?.(index),
      }),
  );
}

/** Requests with different keys, made once: the choice itself creates nothing. */
function requestsOf(): TestRequest[] {
  return Array.from({ length: KEYS }, (_, index) => {
    const request = new TestRequest();
    request.value = `user-${index * 7919}`;
    request.since = 1 + index / 100;
    return request;
  });
}

function chooser(one: Case, size: number): (request: TestRequest) => TestTarget | undefined {
  const targets = targetsOf(one, size);
  if (one.sticky === true) {
    const entry = { cookie: 'gw', key: 'a key of many bytes', path: '/', sameSite: 'lax' } as const;
    const sticky = new Sticky<TestTarget>('it', entry, () => 0);
    sticky.use(targets);
    const values = targets.map((target) => /=([^;]*)/.exec(sticky.cookieFor(target, undefined, false)!)![1]!);
    let next = 0;
    return () => sticky.target(values[next++ % values.length]!);
  }
  for (const [index, { load }] of targets.entries()) load.observe(5 + (index % 7), 1);
  const selection = new Selection(targets, { balance: one.balance, zone: one.zone ?? '', slowStart: 0 }, seeded(1));
  return (request) => selection.pick(request);
}

async function run({ rounds, quick }: BenchOptions): Promise<Report> {
  const requests = requestsOf();
  const rows = CASES.map((one): (string | number)[] => [
    one.name,
    ...SIZES.map((size) => {
      const choose = chooser(one, size);
      const count = quick ? 10_000 : Math.max(20_000, 4_000_000 / size);
      const measure = (): number => {
        const began = process.cpuUsage();
        for (let i = 0; i < count; i++)
          if (choose(requests[i & (KEYS - 1)]!) === undefined) throw new Error('no target');
        return (process.cpuUsage(began).user * 1000) / count;
      };
      return Math.round(interleave([{ name: one.name, measure }], rounds)[0]!.median);
    }),
  ]);
  const table = {
    title: 'CPU of a choice in nanoseconds, by number of targets',
    columns: ['algorithm', ...SIZES.map(String)],
    rows,
    notes: ['With one target there is nothing to choose, and no algorithm runs.'],
  };
  return { title: 'Choosing a target', tables: [table], notes: [], peers: { found: [], missing: [] } };
}

const benchmark: Benchmark = { name: 'balance', summary: 'time to choose a target, by algorithm', run };
export default benchmark;
