import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { WAYS } from '../../../src/state/limits/layout.js';
import { LimitTable } from '../../../src/state/limits/table.js';
import type { LimitRate } from '../../../src/state/types.js';
import { seeded } from '../../support/random.js';

/** With WAYS slots all keys are in one group; with more, the hash decides, which is another one each time. */
const make = (slots = 256): LimitTable => new LimitTable(LimitTable.allocate({ slots }));

/** The reference: theoretical arrival times with exact integers, in units of 1 / capacity milliseconds. */
class Reference {
  readonly #tat = new Map<string, bigint>();
  take(key: string, { capacity, periodMs }: LimitRate, cost: number, nowMs: number): boolean {
    const now = BigInt(nowMs) * BigInt(capacity);
    const tat = this.#tat.get(key) ?? now;
    const next = (tat > now ? tat : now) + BigInt(cost) * BigInt(periodMs);
    if (next - now > BigInt(periodMs) * BigInt(capacity)) return false;
    this.#tat.set(key, next);
    return true;
  }
}

test('answers as the reference does, for random rates, keys, costs and times', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = seeded(seed);
    const limiter = make(1024).limiter('i');
    const reference = new Reference();
    const rate = { capacity: 1 + Math.floor(random() * 50), periodMs: 1 + Math.floor(random() * 5000) };
    const keys = ['a', 'b', 'c'];
    let now = 1_700_000_000_000;
    for (let step = 0; step < 3000; step++) {
      now += Math.floor(random() * random() * random() * rate.periodMs);
      const key = keys[Math.floor(random() * keys.length)]!;
      const cost = 1 + Math.floor(random() * 3);
      const expected = reference.take(key, rate, cost, now);
      assert.is(limiter.take(key, rate, cost, now).allowed, expected, `seed ${seed}, step ${step}`);
    }
  }
});

test('in no window does more pass than the capacity and what refilled', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seeded(seed * 7919);
    const limiter = make().limiter('i');
    const rate = { capacity: 1 + Math.floor(random() * 20), periodMs: 10 + Math.floor(random() * 1000) };
    const passed: number[] = [];
    let now = 0;
    for (let step = 0; step < 1500; step++) {
      now += Math.floor(random() * random() * (rate.periodMs / rate.capacity) * 2);
      if (limiter.take('k', rate, 1, now).allowed) passed.push(now);
    }
    for (let from = 0; from < passed.length; from++) {
      for (let to = from; to < passed.length; to++) {
        const most = rate.capacity + ((passed[to]! - passed[from]!) * rate.capacity) / rate.periodMs;
        assert.ok(to - from + 1 <= most + 1e-6, `seed ${seed}: ${to - from + 1} in ${passed[to]! - passed[from]!} ms`);
      }
    }
    assert.ok(passed.length > rate.capacity);
  }
});

test('waiting as long as it says is enough, and a millisecond less is not', () => {
  const random = seeded(42);
  for (let round = 0; round < 500; round++) {
    const limiter = make().limiter('i');
    const rate = { capacity: 1 + Math.floor(random() * 100), periodMs: 1000 + Math.floor(random() * 100_000) };
    const cost = 1 + Math.floor(random() * Math.min(5, rate.capacity));
    while (limiter.take('k', rate, cost, 5000).allowed);
    const { retryMs } = limiter.take('k', rate, cost, 5000);
    assert.ok(retryMs > 0);
    const early = Math.ceil(retryMs) - 1;
    if (early < retryMs - 1e-3) assert.not.ok(limiter.take('k', rate, cost, 5000 + early).allowed);
    assert.ok(limiter.take('k', rate, cost, 5000 + Math.ceil(retryMs)).allowed);
  }
});

test('remaining and reset count down and up', () => {
  const limiter = make().limiter('i');
  const rate = { capacity: 4, periodMs: 1000 };
  assert.equal({ ...limiter.take('k', rate, 1, 0) }, { allowed: true, remaining: 3, resetMs: 250, retryMs: 0 });
  assert.equal({ ...limiter.take('k', rate, 3, 0) }, { allowed: true, remaining: 0, resetMs: 1000, retryMs: 0 });
  assert.equal({ ...limiter.take('k', rate, 2, 250) }, { allowed: false, remaining: 1, resetMs: 750, retryMs: 250 });
  assert.equal({ ...limiter.take('k', rate, 1, 1000) }, { allowed: true, remaining: 3, resetMs: 250, retryMs: 0 });
});

test('cost 0 asks and counts nothing', () => {
  const table = make();
  const limiter = table.limiter('i');
  const rate = { capacity: 1, periodMs: 1000 };
  assert.equal({ ...limiter.take('k', rate, 0, 0) }, { allowed: true, remaining: 1, resetMs: 0, retryMs: 0 });
  assert.equal(table.snapshot('i', 0, 10), []);
  limiter.take('k', rate, 1, 0);
  assert.equal({ ...limiter.take('k', rate, 0, 500) }, { allowed: false, remaining: 0, resetMs: 500, retryMs: 500 });
  assert.equal(table.totals('i'), { allowed: 1, refused: 0, evicted: 0 });
});

test('what can never pass says so', () => {
  const limiter = make().limiter('i');
  assert.is(limiter.take('k', { capacity: 2, periodMs: 1000 }, 3, 0).retryMs, Number.POSITIVE_INFINITY);
  const none = limiter.take('none', { capacity: 0, periodMs: 1000 }, 1, 0);
  assert.equal({ ...none }, { allowed: false, remaining: 0, resetMs: 0, retryMs: Number.POSITIVE_INFINITY });
});

test('a million at once is exactly a million', () => {
  const limiter = make().limiter('i');
  const rate = { capacity: 1_000_000, periodMs: 1000 };
  let allowed = 0;
  for (let at = 0; at < 1_000_500; at++) if (limiter.take('k', rate, 1, 1_700_000_000_000).allowed) allowed++;
  assert.is(allowed, 1_000_000);
});

test('identities and keys are apart', () => {
  const table = make();
  const rate = { capacity: 1, periodMs: 1000 };
  assert.ok(table.limiter('a').take('k', rate, 1, 0).allowed);
  assert.ok(table.limiter('b').take('k', rate, 1, 0).allowed);
  assert.ok(table.limiter('a').take('l', rate, 1, 0).allowed);
  assert.not.ok(table.limiter('a').take('k', rate, 1, 0).allowed);
  assert.equal(table.totals('a'), { allowed: 2, refused: 1, evicted: 0 });
  assert.equal(table.totals('b'), { allowed: 1, refused: 0, evicted: 0 });
  assert.equal(table.totals('never'), { allowed: 0, refused: 0, evicted: 0 });
});

test('another table over the same memory counts on', () => {
  const memory = LimitTable.allocate({ slots: 64 });
  const rate = { capacity: 2, periodMs: 1000 };
  new LimitTable(memory).limiter('i').take('k', rate, 1, 0);
  const second = new LimitTable(memory);
  second.limiter('i').take('k', rate, 1, 0);
  assert.not.ok(new LimitTable(memory).limiter('i').take('k', rate, 1, 0).allowed);
  assert.equal(second.totals('i'), { allowed: 2, refused: 1, evicted: 0 });
});

test('a rate that changes keeps what is used', () => {
  const limiter = make().limiter('i');
  limiter.take('k', { capacity: 10, periodMs: 1000 }, 8, 0);
  assert.is(limiter.take('k', { capacity: 100, periodMs: 1000 }, 0, 0).remaining, 92);
  assert.is(limiter.take('k', { capacity: 5, periodMs: 1000 }, 1, 0).allowed, false);
});

test('threads that look at the clock a little apart lend nothing', () => {
  const limiter = make().limiter('i');
  const rate = { capacity: 2, periodMs: 1000 };
  assert.ok(limiter.take('k', rate, 2, 10_000).allowed);
  assert.not.ok(limiter.take('k', rate, 1, 9990).allowed);
  assert.not.ok(limiter.take('k', rate, 1, 10_499).allowed);
  assert.ok(limiter.take('k', rate, 1, 10_500).allowed);
});

test('snapshots: fullest first, cut to the most asked for, drained ones last', () => {
  const table = make();
  const limiter = table.limiter('i');
  const rate = { capacity: 10, periodMs: 10_000 };
  limiter.take('half', rate, 5, 0);
  limiter.take('full', rate, 10, 0);
  limiter.take('full', rate, 1, 0);
  limiter.take('little', rate, 1, 0);
  table.limiter('other').take('x', rate, 1, 0);
  table.limiter('zero').take('z', { capacity: 0, periodMs: 1000 }, 1, 0);
  assert.equal(
    table.snapshot('i', 0, 2).map(({ key }) => key),
    ['full', 'half'],
  );
  assert.equal(table.snapshot('i', 500, 1), [
    {
      key: 'full',
      capacity: 10,
      periodMs: 10_000,
      used: 10,
      remaining: 0,
      resetMs: 9500,
      nextFreeMs: 500,
      allowed: 1,
      refused: 1,
    },
  ]);
  const drained = table.snapshot('i', 60_000, 10);
  assert.equal(
    drained.map(({ used, remaining, resetMs, nextFreeMs }) => [used, remaining, resetMs, nextFreeMs]),
    [
      [0, 10, 0, 0],
      [0, 10, 0, 0],
      [0, 10, 0, 0],
    ],
  );
  const both = table.snapshots(['i', 'other', 'none', 'zero'], 0, 10);
  assert.is(both.get('i')?.length, 3);
  assert.is(both.get('other')?.[0]?.key, 'x');
  assert.equal(both.get('none'), []);
  assert.is(both.get('zero')?.[0]?.nextFreeMs, 0);
});

test('keys are shown as far as there is room, and told apart beyond', () => {
  const table = make();
  const limiter = table.limiter('i');
  const rate = { capacity: 1, periodMs: 1000 };
  const long = 'x'.repeat(80);
  assert.ok(limiter.take(`${long}1`, rate, 1, 0).allowed);
  assert.ok(limiter.take(`${long}2`, rate, 1, 0).allowed);
  assert.ok(limiter.take('caf\xe9 \u2603', rate, 1, 0).allowed);
  const keys = table.snapshot('i', 0, 10).map(({ key }) => key);
  assert.equal(keys.sort(), ['caf\xe9 ?', `${'x'.repeat(63)}...`, `${'x'.repeat(63)}...`].sort());
});

test('drained keys make room without loss; live ones only when they must, the nearest to empty first', () => {
  const table = make(16);
  const limiter = table.limiter('i');
  const rate = { capacity: 100, periodMs: 100_000 };
  for (let at = 0; at < 16; at++) limiter.take(`old ${at}`, rate, 1, 0);
  for (let at = 0; at < 16; at++) limiter.take(`new ${at}`, rate, 50 + at, 60_000);
  assert.is(table.health().evictions, 0);
  assert.equal(table.totals('i'), { allowed: 32, refused: 0, evicted: 0 });
  limiter.take('one more', rate, 99, 60_000);
  assert.is(table.health().evictions, 1);
  const keys = table.snapshot('i', 60_000, 100).map(({ key }) => key);
  assert.is(keys.length, 16);
  assert.not.ok(keys.includes('new 0'));
  assert.is(keys[0], 'one more');
});

test('many keys of one limit free no exhausted key of another', () => {
  const table = make(WAYS);
  const login = table.limiter('login');
  const five = { capacity: 5, periodMs: 60_000 };
  const victims = Array.from({ length: WAYS / 2 }, (_, at) => `victim ${at}`);
  for (const key of victims) login.take(key, five, 5, 0);
  const cheap = table.limiter('cheap');
  const daily = { capacity: 1000, periodMs: 86_400_000 };
  for (let at = 0; at < 20_000; at++) cheap.take(`flood ${at}`, daily, 1000, 1000);
  for (const key of victims) assert.not.ok(login.take(key, five, 1, 1000).allowed, key);
  assert.is(table.totals('login').evicted, 0);
  assert.ok(table.totals('cheap').evicted > 19_000);
  assert.is(table.totals('cheap').evicted, table.health().evictions);
});

test('a limit under a flood of another one still counts its new keys', () => {
  const table = make(WAYS);
  const daily = { capacity: 1000, periodMs: 86_400_000 };
  const cheap = table.limiter('cheap');
  for (let at = 0; at < 5000; at++) cheap.take(`flood ${at}`, daily, 1000, 0);
  const login = table.limiter('login');
  const five = { capacity: 5, periodMs: 60_000 };
  const keys = Array.from({ length: WAYS / 2 }, (_, at) => `caller ${at}`);
  for (let round = 0; round < 5; round++) {
    for (const key of keys) assert.ok(login.take(key, five, 1, 0).allowed);
    for (let at = 0; at < 500; at++) cheap.take(`more ${round} ${at}`, daily, 1000, 0);
  }
  for (const key of keys) assert.not.ok(login.take(key, five, 1, 0).allowed, key);
});

test('after a change of the rate, what was used counts on: drained at the old rate, at most the new capacity', () => {
  const limiter = make().limiter('i');
  const old = { capacity: 100, periodMs: 60_000 };
  limiter.take('raised', old, 80, 0);
  assert.is(limiter.take('raised', { capacity: 1000, periodMs: 60_000 }, 1, 30_000).remaining, 1000 - 80 + 50 - 1);
  limiter.take('lowered', old, 100, 0);
  const lowered = limiter.take('lowered', { capacity: 10, periodMs: 10_000 }, 1, 30_000);
  assert.equal([lowered.allowed, lowered.retryMs], [false, 1000]);
  assert.ok(limiter.take('lowered', { capacity: 10, periodMs: 10_000 }, 1, 31_000).allowed);
});

test('an exhausted key outlives keys that are hardly used, whichever would be drained first', () => {
  const table = make(16);
  const limiter = table.limiter('i');
  const rate = { capacity: 10, periodMs: 1000 };
  limiter.take('exhausted', rate, 10, 0);
  const slow = { capacity: 10, periodMs: 1_000_000 };
  for (let at = 0; at < 500; at++) limiter.take(`fresh ${at}`, slow, 1, 0);
  assert.not.ok(limiter.take('exhausted', rate, 1, 0).allowed);
});

test('far more identities than have totals: counting goes on from the slots', () => {
  const table = make(16_384);
  const rate = { capacity: 1, periodMs: 1000 };
  for (let at = 0; at < 4200; at++) {
    const limiter = table.limiter(`identity ${at}`);
    limiter.take('k', rate, 1, 0);
    limiter.take('k', rate, 1, 0);
  }
  for (const at of [0, 4095, 4096, 4199])
    assert.equal(table.totals(`identity ${at}`), { allowed: 1, refused: 1, evicted: 0 });
});

test('memory that is none is refused; sizes are rounded up', () => {
  assert.throws(() => new LimitTable(new SharedArrayBuffer(8)), TypeError);
  assert.throws(() => new LimitTable(new SharedArrayBuffer(4096)), TypeError);
  assert.is(make(1).health().slots, 16);
  assert.is(make(100).health().slots, 128);
  assert.is(new LimitTable(LimitTable.allocate()).health().slots, 65_536);
});

test.run();
