/** See integration/cache/purge-law.ts. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { runHistory } from '../integration/cache/purge-law.js';
import { removeStoreFolders } from '../state/content/disk/kit.js';

const test = suite('purge-law');
test.after(removeStoreFolders);

for (const [kind, seeds] of [
  ['memory', 40],
  ['a late store', 15],
  ['disk', 15],
] as const)
  for (const soft of [false, true])
    test(`the law holds: ${kind}, ${soft ? 'hard and soft purges' : 'hard purges, stale replies while they are fetched'}`, async () => {
      let hits = 0;
      for (let seed = 1; seed <= seeds; seed++) hits += await runHistory(seed, kind, soft);
      assert.ok(hits > seeds, `${hits} hits`);
    });

test.run();
