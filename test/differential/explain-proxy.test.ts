/** See compare.ts. `npm run drills -- explain-proxy` compares more. GW_SEED repeats a run. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compareAll } from './compare.js';

const SPECS = 10;
const REQUESTS = 300;
const SEED = Number(process.env['GW_SEED'] ?? 20_260);
const SHOWN = 3;

test(`explain and the proxy agree on ${SPECS * REQUESTS} requests (seed ${SEED})`, async () => {
  const tally = await compareAll(SPECS, REQUESTS, SEED);
  assert.equal(tally.differences.slice(0, SHOWN), []);
  assert.is(tally.compared, SPECS * REQUESTS);
  // Agreement is only meaningful if all kinds of outcome occurred.
  for (const outcome of ['target', '200', '204', '304', '401', '403', '404', '405', '413', '429', '500', '503'])
    assert.ok((tally.outcomes.get(outcome) ?? 0) > 0, `${outcome}: ${tally.outcomes.get(outcome) ?? 0} times`);
  const { bodies, compressed, corsReplies, nonAscii, pages, skipped, upgrades, withParams } = tally;
  for (const [what, count] of Object.entries({ bodies, compressed, corsReplies, pages, skipped, withParams }))
    assert.ok(count > 20, `${what}: ${count} times`);
  assert.ok(upgrades + nonAscii > 2, `${upgrades} upgrades, ${nonAscii} non-ASCII heads`);
});

test.run();
