/** Schedules, thresholds and states of active checks, on virtual time. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { HealthEntry, ServiceEntry } from '../../../src/bundle/types.js';
import { HealthChecks } from '../../../src/control/health/checks.js';
import type { Endpoint } from '../../../src/proxy/types.js';
import { VirtualTime } from '../../../src/state/timers.js';
import { KeptLog } from '../kit.js';

const test = suite('active checks');

const HEALTH: HealthEntry = {
  kind: 'http',
  interval: 10_000,
  timeout: 1000,
  jitter: 10,
  healthyAfter: 2,
  unhealthyAfter: 3,
};

const A: Endpoint = { url: 'http://a', weight: 1, slot: 1 };
const B: Endpoint = { url: 'http://b', weight: 1, slot: 2 };

/** A board and targets without a network. */
class World {
  readonly time = new VirtualTime({ now: () => 0, monotonic: () => 0 });
  readonly log = new KeptLog();
  endpoints: readonly Endpoint[] = [A, B];
  down: string[] = [];
  /** URLs of targets whose checks fail. */
  readonly bad = new Set<string>();
  readonly probed: { readonly url: string; readonly at: number }[] = [];
  readonly sends = new Set<'v1' | 'v2' | undefined>();
  readonly ejected = new Map<number, number>();
  readonly checks: HealthChecks;
  #changed: (service: string, endpoints: readonly Endpoint[]) => void = () => {};

  constructor() {
    this.checks = new HealthChecks({
      board: {
        of: () => this.endpoints,
        onChange: (listener) => {
          this.#changed = listener;
          return () => {};
        },
        setDown: (_service, keys) => {
          this.down = [...keys].sort();
        },
      },
      log: this.log,
      probe: async ({ proxyProtocol }, { url }) => {
        this.sends.add(proxyProtocol);
        this.probed.push({ url, at: this.time.monotonic() });
        return this.bad.has(url) ? 'status 503' : undefined;
      },
      ejectedUntil: (slot) => this.ejected.get(slot) ?? 0,
      after: this.time.after,
      now: () => this.time.now(),
      monotonic: () => this.time.monotonic(),
      random: () => 0.5,
    });
  }

  use(health: HealthEntry | null = HEALTH, more: Partial<ServiceEntry> = {}): void {
    this.checks.use([{ name: 'it', ...(health === null ? {} : { health }), ...more } as ServiceEntry]);
  }

  change(...endpoints: Endpoint[]): void {
    this.endpoints = endpoints;
    this.#changed('it', endpoints);
  }

  /** Lets time pass until `count` checks of a target have run. */
  async until(url: string, count: number): Promise<void> {
    const wanted = this.probed.filter((one) => one.url === url).length + count;
    while (this.probed.filter((one) => one.url === url).length < wanted) {
      assert.ok(this.time.step(), 'a timer');
      await settled();
    }
  }

  async pass(ms: number): Promise<void> {
    const end = this.time.monotonic() + ms;
    while (this.time.monotonic() < end) {
      assert.ok(this.time.step(), 'a timer');
      await settled();
    }
  }
}

/** Promises of a check have been handled. */
async function settled(): Promise<void> {
  for (let at = 0; at < 8; at++) await Promise.resolve();
}

test('checks come soon, then every interval', async () => {
  const world = new World();
  world.use();
  await world.pass(31_000);
  const times = world.probed.filter(({ url }) => url === 'http://a').map(({ at }) => at);
  assert.equal(times, [500, 10_500, 20_500, 30_500]);
  assert.equal(world.checks.of('it', A), { state: 'healthy', succeeded: 4, failed: 0, lastAt: 30_500, cause: null });
  world.checks.close();
});

test('failed checks in a row make a target unhealthy, successful ones in a row healthy', async () => {
  const world = new World();
  world.use();
  world.bad.add('http://a');
  await world.until('http://a', 2);
  assert.equal(world.down, []);
  await world.until('http://a', 1);
  assert.equal(world.down, ['http://a']);
  assert.equal(world.log.find(/^target unhealthy/)?.fields, { service: 'it', target: 'http://a', cause: 'status 503' });
  world.bad.clear();
  await world.until('http://a', 1);
  assert.equal(world.down, ['http://a']);
  world.bad.add('http://a');
  await world.until('http://a', 1);
  world.bad.clear();
  await world.until('http://a', 2);
  assert.equal(world.down, []);
  assert.is(world.log.count(/^target healthy/), 1);
  world.checks.close();
});

test('checks of a service with proxy_protocol did not know of it', async () => {
  const world = new World();
  world.use(HEALTH, { proxyProtocol: 'v2' });
  await world.until('http://a', 1);
  assert.equal([...world.sends], ['v2']);
  world.checks.close();
});

test('before the first check a target is available, unless it has to wait', async () => {
  const world = new World();
  world.use({ ...HEALTH, waits: true });
  assert.equal(world.down, ['http://a', 'http://b']);
  world.bad.add('http://b');
  await world.until('http://a', 1);
  await world.until('http://b', 1);
  assert.equal(world.down, ['http://b']);
  world.change(A, B, { url: 'http://c', weight: 1, slot: 3 });
  assert.equal(world.down, ['http://b', 'http://c']);
  world.checks.close();
});

test('states survive a reload that adds or removes a target, or changes the settings', async () => {
  const world = new World();
  world.use();
  world.bad.add('http://a');
  await world.until('http://a', 3);
  world.change(A);
  world.use();
  world.change(A, B);
  world.use({ ...HEALTH, interval: 5000 });
  assert.equal(world.down, ['http://a']);
  assert.is(world.checks.of('it', A)?.failed, 3);
  world.change(B);
  assert.equal(world.down, []);
  world.change(A, B);
  assert.is(world.checks.of('it', A)?.state, 'unknown', 'it was gone');
  world.use(null);
  assert.is(world.checks.of('it', B), undefined);
  world.checks.close();
});

test('a target that workers have ejected returns only after a successful check', async () => {
  const world = new World();
  world.use();
  await world.until('http://a', 1);
  world.bad.add('http://a');
  world.ejected.set(A.slot, world.time.monotonic() + 1000);
  await world.pass(600);
  assert.equal(world.down, ['http://a']);
  assert.is(world.log.count(/^target unhealthy/), 0, 'workers have logged it');
  await world.pass(2000);
  assert.equal(world.down, ['http://a'], 'its time is over');
  world.bad.clear();
  await world.until('http://a', 1);
  await settled();
  assert.equal(world.down, []);
  world.checks.close();
});

test('no more than 256 checks run at the same time', async () => {
  const world = new World();
  let running = 0;
  let most = 0;
  const ends: (() => void)[] = [];
  const many = Array.from({ length: 600 }, (_, slot): Endpoint => ({ url: `http://${slot}`, weight: 1, slot }));
  const checks = new HealthChecks({
    board: { of: () => many, onChange: () => () => {}, setDown: () => {} },
    log: world.log,
    probe: async () => {
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => ends.push(resolve));
      running--;
      return undefined;
    },
    ejectedUntil: () => 0,
    after: world.time.after,
    now: () => 0,
    monotonic: () => 0,
    random: () => 0,
  });
  checks.use([{ name: 'it', health: HEALTH } as ServiceEntry]);
  for (let at = 0; at < 600; at++) world.time.step();
  await settled();
  let ended = 0;
  while (ends.length > 0) {
    ended++;
    ends.shift()!();
    await settled();
  }
  assert.equal([most, ended], [256, 600]);
  checks.close();
});

test.run();
