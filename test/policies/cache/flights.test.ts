import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Flights } from '../../../src/policies/cache/flights.js';
import type { PolicyHost } from '../../../src/policies/contract.js';

const test = suite('flights');

const STORE = { moment: () => 0, purgedAt: () => 0 };

/** What flights use of a host; `once` begins the work when the test says so. */
function lateHost(): { readonly host: PolicyHost; begin(): void } {
  let begin = (): void => {};
  const parts: Pick<PolicyHost, 'once' | 'after' | 'clock'> = {
    once: async (_key, _lease, work) => {
      await new Promise<void>((resolve) => {
        begin = resolve;
      });
      return await work();
    },
    after: () => () => {},
    clock: { now: () => 0, monotonic: () => 0 },
  };
  return { host: parts as PolicyHost, begin: () => begin() };
}

test('a turn after another worker that was too slow leaves no flight behind', async () => {
  const { host, begin } = lateHost();
  const flights = new Flights({ collapseWait: 1000, maxEntry: 1000 }, host, STORE);
  const { flight, mine } = flights.open('k');
  assert.not(mine);
  const landing = flights.wait('k', flight);
  begin();
  assert.is(await landing, 'alone');
  assert.is(flights.count, 0);
});

test('keys that are kept apart are told apart, short and long, and end after a while', () => {
  let now = 0;
  const { host } = lateHost();
  const clock = { now: () => 0, monotonic: () => now };
  const flights = new Flights({ collapseWait: 1000, maxEntry: 1000 }, { ...host, clock }, STORE);
  const long = 'x'.repeat(20_000);
  for (const key of ['short', `${long}1`]) flights.keepApart(key);
  for (const key of ['short', `${long}1`]) assert.ok(flights.isAlone(key));
  for (const key of ['other', `${long}2`]) assert.not(flights.isAlone(key));
  now = 30_000;
  for (const key of ['short', `${long}1`]) assert.not(flights.isAlone(key));
});

test.run();
