import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Pace, type Verdict } from '../../../../src/proxy/downstream/http1/pace.js';

/** A client checked every 100 ms from time 1000 on, with a given byte count at each check. */
function looks(pace: Pace, counts: readonly number[], rate: number, silence: number): Verdict[] {
  return counts.map((bytes, at) => pace.check(1000 + at * 100, bytes, { minBodyRate: rate, bodyTimeout: silence }));
}

/** Checks until the verdict is not `fine`. Returns the number of checks. */
function fineFor(pace: Pace, bytesAt: (look: number) => number, rate: number, silence: number): [number, Verdict] {
  for (let look = 0; look < 10_000; look++) {
    const verdict = pace.check(1000 + look * 100, bytesAt(look), { minBodyRate: rate, bodyTimeout: silence });
    if (verdict !== 'fine') return [look, verdict];
  }
  return [10_000, 'fine'];
}

test('no rate is required within the grace', () => {
  assert.equal(looks(new Pace(300, 0), [0, 0, 0, 0], 1000, 60_000), ['fine', 'fine', 'fine', 'fine']);
  assert.equal(looks(new Pace(300, 0), [0, 0, 0, 0, 0], 1000, 60_000).at(-1), 'slow');
});

test('a transfer at the rate never fails, one slightly below it does', () => {
  assert.equal(
    fineFor(new Pace(5000, 0), (look) => look * 24, 240, 30_000),
    [10_000, 'fine'],
  );
  const [looked, verdict] = fineFor(new Pace(5000, 0), (look) => look * 20, 240, 30_000);
  assert.is(verdict, 'slow');
  // Each 100 ms cost a sixth of 100 ms: 5 s last for 30.
  assert.ok(looked > 295 && looked < 305, String(looked));
});

test('fast bytes are credited, up to the length of the longest silence', () => {
  const [looked, verdict] = fineFor(new Pace(1000, 0), (look) => 1e9 + look, 240, 2000);
  assert.is(verdict, 'slow');
  assert.ok(looked > 19 && looked < 22, String(looked));
});

test('silence has its own limit, with and without a rate', () => {
  assert.equal(
    fineFor(new Pace(5000, 0), () => 1e9, 240, 700),
    [7, 'silent'],
  );
  assert.equal(
    fineFor(new Pace(5000, 0), () => 7, 0, 700),
    [7, 'silent'],
  );
  assert.equal(
    fineFor(new Pace(0, 0), (look) => look, 0, 700),
    [10_000, 'fine'],
  );
});

test('time without waiting for the client does not count', () => {
  const pace = new Pace(300, 0);
  assert.is(pace.check(1000, 0, { minBodyRate: 1000, bodyTimeout: 500 }), 'fine');
  assert.is(pace.check(1200, 0, { minBodyRate: 1000, bodyTimeout: 500 }), 'fine');
  pace.stop();
  assert.is(pace.check(90_000, 0, { minBodyRate: 1000, bodyTimeout: 500 }), 'fine');
  assert.is(pace.check(90_100, 0, { minBodyRate: 1000, bodyTimeout: 500 }), 'fine');
  assert.is(pace.check(90_201, 0, { minBodyRate: 1000, bodyTimeout: 500 }), 'slow');
});

test('bytes from before the first check are not credited', () => {
  assert.is(looks(new Pace(100, 1000), [1000, 1000, 1000], 10, 60_000).at(-1), 'slow');
  assert.is(looks(new Pace(100, 0), [1000, 1000, 1000], 10, 60_000).at(-1), 'fine');
});

test.run();
