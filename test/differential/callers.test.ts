/** See callers.ts. `npm run drills -- explain-callers` compares more. GW_SEED repeats a run. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compareCallers } from './callers.js';

const SPECS = 5;
const REQUESTS = 60;
const SEED = Number(process.env['GW_SEED'] ?? 10_260);

test(`explain of --as, --key and --token agrees with the proxy on ${SPECS * REQUESTS} requests (seed ${SEED})`, async () => {
  const { compared, differences, impossible, kinds, outcomes } = await compareCallers(SPECS, REQUESTS, SEED);
  assert.equal(differences.slice(0, 3), []);
  assert.is(compared, SPECS * REQUESTS);
  for (const kind of ['as', 'key', 'token'])
    assert.ok((kinds.get(kind) ?? 0) > 30, `${kind}: ${kinds.get(kind)} times`);
  for (const outcome of ['target', '200', '401', '403', '404'])
    assert.ok((outcomes.get(outcome) ?? 0) > 5, `${outcome}: ${outcomes.get(outcome) ?? 0} times`);
  assert.ok(impossible > 10, `${impossible} impossible callers`);
});

test.run();
