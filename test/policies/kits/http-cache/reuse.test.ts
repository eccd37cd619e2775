/** Whether a stored reply answers a request, RFC 9111 sections 4.2 and 5.2.1, RFC 5861, RFC 8246. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { requestDirectives } from '../../../../src/policies/kits/http-cache/directives.js';
import { decide, type Use, usableOnError } from '../../../../src/policies/kits/http-cache/reuse.js';
import { seededBelow } from '../../../support/random.js';
import { assessed, cc, fields, NOW } from './kit.js';

const PLAIN = { clientDirectives: true, soft: false };

/** What is done with a reply that has the Cache-Control `reply` after so many seconds. */
function used(reply: string, seconds: number, request = '', options = PLAIN): Use {
  const asked = requestDirectives(request === '' ? fields() : cc(request));
  return decide(assessed(cc(reply, { etag: '"a"' })), asked, NOW + seconds * 1000, options).use;
}

test('RFC 9111, 4.2: fresh as long as the lifetime is greater than the age', () => {
  assert.is(used('max-age=60', 0), 'fresh');
  assert.is(used('max-age=60', 59.999), 'fresh');
  assert.is(used('max-age=60', 60), 'validate');
  assert.is(used('max-age=0', 0), 'validate');
  assert.is(used('max-age=60, no-cache', 0), 'validate');
});

test('RFC 9111, 5.1: the age counts whole seconds, and a clock that was set back adds nothing', () => {
  const reply = assessed(cc('max-age=60', { age: '30' }));
  assert.is(decide(reply, requestDirectives(fields()), NOW + 2999, PLAIN).ageSeconds, 32);
  assert.is(decide(reply, requestDirectives(fields()), NOW + 2999, PLAIN).ttlSeconds, 27);
  assert.is(decide(reply, requestDirectives(fields()), NOW - 50_000, PLAIN).ageSeconds, 30);
});

test('RFC 9111, 5.2.1.1: max-age of the request', () => {
  assert.is(used('max-age=60', 0, 'max-age=0'), 'validate');
  assert.is(used('max-age=60', 10, 'max-age=10'), 'fresh');
  assert.is(used('max-age=60', 11, 'max-age=10'), 'validate');
  assert.is(used('max-age=60', 0, 'max-age=x'), 'validate');
  assert.is(used('max-age=60', 15, 'max-age=10, max-stale=5'), 'fresh');
  assert.is(used('max-age=60', 16, 'max-age=10, max-stale=5'), 'validate');
});

test('RFC 9111, 5.2.1.2: max-stale of the request', () => {
  assert.is(used('max-age=60', 70, 'max-stale'), 'stale');
  assert.is(used('max-age=60', 70, 'max-stale=10'), 'stale');
  assert.is(used('max-age=60', 70, 'max-stale=9'), 'validate');
  assert.is(used('max-age=60', 70, 'max-stale=x'), 'validate');
  assert.is(used('max-age=60, must-revalidate', 70, 'max-stale'), 'validate');
  assert.is(used('max-age=60, s-maxage=60', 70, 'max-stale'), 'validate');
});

test('RFC 9111, 5.2.1.3: min-fresh of the request', () => {
  assert.is(used('max-age=60', 10, 'min-fresh=50'), 'fresh');
  assert.is(used('max-age=60', 10, 'min-fresh=51'), 'validate');
  assert.is(used('max-age=60', 10, 'min-fresh=x'), 'validate');
});

test('RFC 9111, 5.2.1.4 and 5.4: no-cache of the request', () => {
  assert.is(used('max-age=60', 0, 'no-cache'), 'validate');
  const pragma = requestDirectives(fields({ pragma: 'no-cache' }));
  assert.is(decide(assessed(cc('max-age=60')), pragma, NOW, PLAIN).use, 'validate');
});

test('RFC 9111, 5.2.1.5: no-store of the request does not keep a stored reply from being used', () => {
  assert.is(used('max-age=60', 0, 'no-store'), 'fresh');
});

test('RFC 9111, 5.2.1.7: only-if-cached never asks the origin', () => {
  assert.is(used('max-age=60', 0, 'only-if-cached'), 'fresh');
  assert.is(used('max-age=60', 70, 'only-if-cached'), 'unavailable');
  assert.is(used('max-age=60', 0, 'only-if-cached, no-cache'), 'unavailable');
  assert.is(used('max-age=60, stale-while-revalidate=20', 70, 'only-if-cached'), 'stale');
});

test('directives of the request count only if the policy says so', () => {
  const deaf = { ...PLAIN, clientDirectives: false };
  for (const request of ['no-cache', 'max-age=0', 'min-fresh=99'])
    assert.is(used('max-age=60', 1, request, deaf), 'fresh');
  for (const request of ['max-stale', 'only-if-cached']) assert.is(used('max-age=60', 70, request, deaf), 'validate');
});

test('RFC 5861, 3: stale-while-revalidate', () => {
  assert.is(used('max-age=60, stale-while-revalidate=20', 60), 'stale-while-revalidate');
  assert.is(used('max-age=60, stale-while-revalidate=20', 79), 'stale-while-revalidate');
  assert.is(used('max-age=60, stale-while-revalidate=20', 80), 'validate');
  assert.is(used('max-age=60, stale-while-revalidate=20, must-revalidate', 70), 'validate');
  assert.is(used('max-age=60, stale-while-revalidate=20', 61, 'max-age=10'), 'validate');
});

test('RFC 8246: max-age of the request does not validate a fresh immutable reply, no-cache does', () => {
  assert.is(used('max-age=60, immutable', 10, 'max-age=0'), 'fresh');
  assert.is(used('max-age=60, immutable="x"', 10, 'max-age=0'), 'fresh');
  assert.is(used('max-age=60, immutable', 10, 'no-cache'), 'validate');
  assert.is(used('max-age=60, immutable', 60, 'max-age=0'), 'validate');
});

test('a reply that was purged softly is stale', () => {
  const soft = { ...PLAIN, soft: true };
  assert.is(used('max-age=60', 0, '', soft), 'validate');
  assert.is(used('max-age=60, stale-while-revalidate=20', 0, '', soft), 'stale-while-revalidate');
  assert.is(used('max-age=60', 0, 'max-stale', soft), 'validate');
  assert.is(used('max-age=60, stale-while-revalidate=20', 0, 'min-fresh=1', soft), 'validate');
  const past = (ms: number) => ({ ...soft, softForMs: ms });
  assert.is(used('max-age=60, stale-while-revalidate=20', 0, '', past(19_999)), 'stale-while-revalidate');
  assert.is(used('max-age=60, stale-while-revalidate=20', 0, '', past(20_000)), 'validate');
  const stored = assessed(cc('max-age=60, stale-if-error=20'));
  assert.ok(usableOnError(stored, requestDirectives(fields()), NOW, past(20_000)));
  assert.not(usableOnError(stored, requestDirectives(fields()), NOW, past(20_001)));
});

test('RFC 5861, 4: stale-if-error of the reply or the request, within its time', () => {
  const usable = (reply: string, seconds: number, request = '') =>
    usableOnError(assessed(cc(reply)), requestDirectives(cc(request)), NOW + seconds * 1000, PLAIN);
  assert.ok(usable('max-age=60, stale-if-error=20', 80));
  assert.not.ok(usable('max-age=60, stale-if-error=20', 81));
  assert.not.ok(usable('max-age=60', 61));
  assert.ok(usable('max-age=60', 70, 'stale-if-error=10'));
  assert.not.ok(usable('max-age=60', 71, 'stale-if-error=10'));
  for (const no of ['must-revalidate', 's-maxage=60', 'no-cache'])
    assert.not.ok(usable(`max-age=60, stale-if-error=20, ${no}`, 70, 'stale-if-error=60'), no);
  assert.not.ok(usable('max-age=60, stale-if-error=20', 70, 'no-cache'));
});

const RANK: { readonly [use in Use]: number } = {
  fresh: 0,
  'stale-while-revalidate': 1,
  stale: 2,
  validate: 3,
  unavailable: 3,
};

test('law: time and a greater Age never make a reply more usable', () => {
  const next = seededBelow(3);
  const pick = (from: readonly string[]) => from.filter(() => next(3) === 0).map((one) => `${one}=${next(40)}`);
  for (let run = 0; run < 4000; run++) {
    const reply = [
      ...pick(['max-age', 's-maxage', 'stale-while-revalidate', 'stale-if-error']),
      next(4) ? 'x' : 'immutable',
    ].join();
    const asked = requestDirectives(
      cc([...pick(['max-age', 'min-fresh', 'max-stale']), next(9) ? 'x' : 'max-stale'].join()),
    );
    const options = { clientDirectives: next(4) > 0, soft: next(8) === 0 };
    const age = next(30);
    const stored = (given: number) => assessed(cc(reply, { age: String(given), etag: '"a"' }));
    const rank = (given: number, now: number) => RANK[decide(stored(given), asked, NOW + now, options).use];
    const now = next(60_000);
    const about = JSON.stringify([reply, [...asked.values], options, age, now]);
    assert.ok(rank(age, now) <= rank(age, now + next(60_000)), about);
    assert.ok(rank(age, now) <= rank(age + next(30), now), about);
    const error = (later: number) => usableOnError(stored(age), asked, NOW + later, options);
    assert.ok(error(now) || !error(now + next(60_000)), about);
  }
});

test.run();
