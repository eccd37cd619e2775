import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Batch } from '../../src/dashboard/feed.js';
import { initialState, MOST_TAIL, reduce, type State, shownTail } from '../../src/dashboard/state.js';
import { themeFor } from '../../src/dashboard/theme.js';
import { record, reloads, snapshot } from './sample.js';

const size = { columns: 80, rows: 24 };
const start = (): State => initialState({ theme: themeFor({ LANG: 'C.UTF-8' }), size, now: 1_000 });
const batch = (more: Partial<Batch>): Batch => ({
  snapshot: undefined,
  receivedAt: 2_000,
  recent: [],
  requests: [],
  dropped: 0,
  reloads: [],
  ...more,
});
const take = (state: State, more: Partial<Batch>, now = 2_000): State =>
  reduce(state, { type: 'batch', batch: batch(more), now });

test('a snapshot appears at once, or when the pause ends', () => {
  const first = snapshot();
  const second = snapshot({}, { seed: 8 });
  const shown = take(start(), { snapshot: first });
  assert.is(shown.shown?.receivedAt, 2_000);
  assert.is(shown.snapshot, first);
  const paused = take({ ...shown, paused: true }, { snapshot: second });
  assert.is(paused.snapshot, first);
  assert.is(paused.newest?.snapshot, second);
  assert.is(take(shown, {}).snapshot, first, 'a batch without a snapshot changes none');
});

test('the tail is numbered, newest first and bounded', () => {
  let state = take(start(), { requests: [record(1), record(2)], dropped: 4 });
  assert.equal(
    state.tail.entries.map(({ seq, record: { id } }) => [seq, id]),
    [
      [2, 'req-2'],
      [1, 'req-1'],
    ],
  );
  assert.is(state.tail.dropped, 4);
  for (let round = 0; round < 5; round++) {
    state = take(state, { requests: Array.from({ length: 900 }, (_, index) => record(index)) });
  }
  assert.is(state.tail.entries.length, MOST_TAIL);
  assert.is(state.tail.entries[0]?.seq, 4_502);
  const seqs = state.tail.entries.map(({ seq }) => seq);
  assert.equal(
    seqs,
    [...seqs].sort((a, b) => b - a),
  );
  const flood = take(start(), { requests: Array.from({ length: 3_000 }, (_, index) => record(index)) });
  assert.is(flood.tail.entries.length, MOST_TAIL);
  assert.is(flood.tail.entries[0]?.record.id, 'req-2999');
});

test('requests from before the stream began are merged by time, without duplicates', () => {
  const live = take(start(), { recent: [record(1), record(2)], requests: [record(5)] });
  const ids = (state: State): string[] => state.tail.entries.map(({ record: { id } }) => id);
  assert.equal(ids(live), ['req-5', 'req-2', 'req-1']);
  const again = take(live, { recent: [record(2), record(3), record(5), record(6)] });
  assert.equal(ids(again), ['req-6', 'req-5', 'req-3', 'req-2', 'req-1']);
  assert.is(new Set(again.tail.entries.map(({ seq }) => seq)).size, 5);
  assert.is(again.tail.dropped, 0);
});

test('a frozen list does not change', () => {
  const one = take(start(), { requests: [record(1)] });
  const held = take({ ...one, heldTail: one.tail.entries }, { requests: [record(2)] });
  assert.is(shownTail(held).length, 1);
  assert.is(shownTail({ ...held, heldTail: undefined }).length, 2);
});

test('restarts and reloads give notices that expire', () => {
  const before = take(start(), { snapshot: snapshot() });
  const other = snapshot();
  const again = take(before, { snapshot: { ...other, gateway: { ...other.gateway, pid: 4_711 } } });
  assert.match(again.notice?.text ?? '', /restarted: process \d+ is now 4711/);
  const [rejected, live] = reloads(0);
  assert.ok(rejected && live);
  assert.equal(take(before, { reloads: [live] }).notice?.kind, 'good');
  const bad = take(before, { reloads: [live, rejected] });
  assert.match(bad.notice?.text ?? '', /rejected with 1 error: press 5/);
  assert.ok(reduce(bad, { type: 'tick', now: 2_001 }).notice);
  assert.is(reduce(bad, { type: 'tick', now: 60_000 }).notice, undefined);
  assert.is(reduce(bad, { type: 'change', change: {} }).notice, undefined, 'a key puts it away');
  const reading = take({ ...before, view: 'reloads' }, { reloads: [rejected] });
  assert.is(reading.notice?.text, 'the spec was rejected with 1 error');
  assert.is(reduce(bad, { type: 'tick', now: 60_000 }).now, 60_000);
});

test('a reload requested here is reported once, by its reply', () => {
  const [, live] = reloads(0);
  assert.ok(live);
  const asking = reduce(start(), { type: 'reloading' });
  assert.ok(asking.reloading);
  assert.is(take(asking, { reloads: [live] }).notice, undefined);
  const answered = reduce(asking, { type: 'reloaded', reload: live, now: 5_000 });
  assert.not(answered.reloading);
  assert.match(answered.notice?.text ?? '', /generation 12 is live: \+route ping/);
  const refused = reduce(asking, { type: 'notice', kind: 'bad', text: 'no connection', now: 5_000 });
  assert.not(refused.reloading);
});

test('a restored connection is reported, the first one is not', () => {
  const live = { type: 'connection', connection: { status: 'live', where: 'x' }, now: 1 } as const;
  assert.is(reduce(start(), live).notice, undefined);
  const lost = reduce(start(), {
    type: 'connection',
    connection: { status: 'lost', reason: 'r', attempt: 1, retryAt: 2 },
    now: 1,
  });
  assert.is(lost.connection.status, 'lost');
  assert.match(reduce(lost, live).notice?.text ?? '', /connected again/);
});

test('size and choice actions change the state', () => {
  const wide = reduce(start(), { type: 'resize', size: { columns: 200, rows: 50 } });
  assert.equal(wide.size, { columns: 200, rows: 50 });
  const choosing = reduce(start(), { type: 'pick', entries: [] });
  assert.equal(choosing.picker, { entries: [], index: 0 });
  assert.is(reduce(choosing, { type: 'picked' }).picker, undefined);
});

test.run();
