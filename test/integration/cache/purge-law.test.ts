/** See purge-law.ts. `npm run drills -- purge-law` runs more histories. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { removeStoreFolders } from '../../state/content/disk/kit.js';
import { runHistory } from './purge-law.js';

test.after(removeStoreFolders);

for (const [kind, seeds] of [
  ['memory', 4],
  ['a late store', 2],
  ['disk', 2],
] as const)
  for (const soft of [false, true])
    test(`the law holds: ${kind}, ${soft ? 'hard and soft purges' : 'hard purges, stale replies while they are fetched'}`, async () => {
      let hits = 0;
      for (let seed = 1; seed <= seeds; seed++) hits += await runHistory(seed, kind, soft);
      assert.ok(hits > seeds, `${hits} hits`);
    });

test.run();
