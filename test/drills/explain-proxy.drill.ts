/** explain and the proxy agree on 20,000 random exchanges with bodies, conditions and mocks. GW_SEED repeats a run. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compareAll } from '../differential/compare.js';

const SPECS = 50;
const REQUESTS = 400;
const SEED = Number(process.env['GW_SEED'] ?? 90_260);

test(`explain and the proxy agree on ${SPECS * REQUESTS} requests (seed ${SEED})`, async () => {
  const tally = await compareAll(SPECS, REQUESTS, SEED);
  assert.equal(tally.differences.slice(0, 3), []);
  assert.is(tally.compared, SPECS * REQUESTS);
  for (const outcome of ['target', '200', '204', '304', '400', '401', '404', '405', '413', '421', '429', '500', '503'])
    assert.ok((tally.outcomes.get(outcome) ?? 0) > 20, `${outcome}: ${tally.outcomes.get(outcome) ?? 0} times`);
  assert.ok((tally.outcomes.get('target') ?? 0) > tally.compared / 10);
  const { bodies, compressed, corsReplies, pages, routes, skipped, withParams } = tally;
  for (const [what, count] of Object.entries({ bodies, compressed, corsReplies, pages, skipped, withParams }))
    assert.ok(count > 100, `${what}: ${count} times`);
  assert.ok(routes.size > 300, `${routes.size} routes`);
});

test.run();
