import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runChaos } from '../../support/chaos.js';

for (const seed of [1, 2, 3]) {
  test(`random policies, requests, targets and reloads keep the laws of the contract (seed ${seed})`, async () => {
    const tally = await runChaos({ seed, generations: 8, clients: 8 });
    assert.ok(tally.whole > 30 && tally.entered > 60 && tally.stages > 5, JSON.stringify(tally));
  });
}

test.run();
