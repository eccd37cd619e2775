/** explain of --as, --key and --token agrees with the proxy on 20,000 random exchanges. GW_SEED repeats a run. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compareCallers } from '../differential/callers.js';

const SPECS = 50;
const REQUESTS = 400;
const SEED = Number(process.env['GW_SEED'] ?? 30_260);

test(`explain of callers agrees with the proxy on ${SPECS * REQUESTS} requests (seed ${SEED})`, async () => {
  const { compared, differences, impossible, kinds, outcomes } = await compareCallers(SPECS, REQUESTS, SEED);
  assert.equal(differences.slice(0, 3), []);
  assert.is(compared, SPECS * REQUESTS);
  for (const kind of ['as', 'key', 'token'])
    assert.ok((kinds.get(kind) ?? 0) > 2000, `${kind}: ${kinds.get(kind)} times`);
  for (const outcome of ['target', '200', '204', '304', '400', '401', '403', '404', '405', '500', '503'])
    assert.ok((outcomes.get(outcome) ?? 0) > 20, `${outcome}: ${outcomes.get(outcome) ?? 0} times`);
  assert.ok(impossible > 1000, `${impossible} impossible callers`);
});

test.run();
