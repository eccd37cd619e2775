/**
 * Seeded fuzzing, a few thousand cases: the laws of test/support/fuzz/laws.ts and reply-laws.ts hold for any input from
 * clients and targets. `npm run fuzz` runs the same for longer and with other seeds.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { BedKind } from '../../support/fuzz/bed.js';
import { fuzz, type Kind } from '../../support/fuzz/run.js';

const SEED = 20_250_117;

const test = suite('fuzzing');

const RUNS: readonly (readonly [Kind, BedKind, cases: number])[] = [
  ['requests', 'plain', 800],
  ['requests', 'pipelined', 300],
  ['requests', 'policies', 250],
  ['replies', 'plain', 500],
  ['replies', 'pipelined', 150],
  ['replies', 'policies', 100],
];

for (const [kind, bed, cases] of RUNS) {
  test(`${cases} cases of ${kind} on ${bed}, seed ${SEED}`, async () => {
    const report = await fuzz({ kind, bed, seed: SEED, from: 0, to: cases });
    if (report.failure !== undefined) throw new Error(report.failure);
    assert.is(report.cases, cases);
    if (bed === 'pipelined') assert.ok(report.deepest > 1, 'requests are pipelined to the target');
    // The laws are only meaningful if enough messages are forwarded and refused.
    assert.ok(report.forwarded > cases && report.refused > cases / 4, JSON.stringify(report));
  });
}

test.run();
