/** The replay window of policies: what they answer, and what is logged. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { REPLAY_PROBLEM, ReplayWindow } from '../../../src/policies/kits/replay.js';
import type { Use } from '../../../src/state/types.js';
import { laterReplays, replaysThat } from '../../support/stores.js';
import { host, type World, world } from '../support.js';

const windowOf = (around: World = world()): ReplayWindow => new ReplayWindow(host(around), REPLAY_PROBLEM);

test('the store in memory answers at once, exactly one first use, until its time is over', () => {
  const around = world();
  const used = windowOf(around);
  assert.is(used.isFirstUse(['k', 'n'], 1000), true);
  assert.is(used.isFirstUse(['k', 'n'], 1000), false);
  assert.is(windowOf(around).isFirstUse(['k', 'n'], 1000), false, 'for all instances of the policy');
  assert.is(new ReplayWindow(host(around, 'q'), REPLAY_PROBLEM).isFirstUse(['k', 'n'], 1000), true);
  around.now += 1000;
  assert.is(used.isFirstUse(['k', 'n'], 1000), true);
});

test('parts are told apart', () => {
  const used = windowOf();
  for (const parts of [['a', 'b'], ['ab'], ['a b'], ['a","b'], ['b', 'a'], ['a', 'b', '']])
    assert.is(used.isFirstUse(parts, 1000), true, parts.join('|'));
});

test('a forgotten value may be used again', async () => {
  const used = windowOf();
  assert.is(used.isFirstUse(['v'], 1000), true);
  await used.forget(['v']);
  assert.is(used.isFirstUse(['v'], 1000), true);
});

test('a store that answers later: of callers at the same time, one is the first', async () => {
  const used = windowOf(world({ replays: laterReplays() }));
  const all = await Promise.all([1, 2, 3].map(() => used.isFirstUse(['v'], 1000)));
  assert.equal(all.filter((first) => first === true).length, 1);
  assert.equal(all.filter((first) => first === false).length, 2);
  await used.forget(['v']);
  assert.is(await used.isFirstUse(['v'], 1000), true);
});

test('a store that fails, at once or later, makes the request unavailable', async () => {
  const expected = { outcome: 'unavailable', why: 'replay window: down' };
  assert.equal(await windowOf(world({ replays: replaysThat(new Error('down')) })).isFirstUse(['v'], 1000), expected);
  const throwing = (): never => {
    throw new Error('down');
  };
  const around = world({ replays: { store: () => ({ note: throwing, forget: throwing }) } });
  assert.equal(windowOf(around).isFirstUse(['v'], 1000), expected);
});

test('a full window refuses each request, and is logged once a minute with a count', async () => {
  for (const answer of ['full', Promise.resolve<Use>('full')] as const) {
    const around = world({ replays: { store: () => ({ note: () => answer, forget() {} }) } });
    const lines: unknown[] = [];
    const logger = { ...host(around).logger, warn: (...line: unknown[]) => void lines.push(line) };
    const used = new ReplayWindow({ ...host(around), logger }, REPLAY_PROBLEM);
    const refuse = async (): Promise<void> => {
      const found = await used.isFirstUse(['v'], 1000);
      assert.ok(typeof found === 'object' && found.outcome === 'refused');
      assert.equal([found.problem.code, found.problem.status], ['auth/replay-window', 503]);
    };
    for (let at = 0; at < 5; at++) await refuse();
    around.now += 60_000;
    await refuse();
    const message = 'replay window full, requests refused';
    assert.equal(lines, [
      [message, { policy: 'p', refused: 1 }],
      [message, { policy: 'p', refused: 5 }],
    ]);
  }
});

test.run();
