import type { Key } from 'ink';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { keyNames } from '../../src/dashboard/input.js';
import { type Effect, press } from '../../src/dashboard/keys.js';
import { lineWidth } from '../../src/dashboard/line.js';
import { initialState, reduce, type State } from '../../src/dashboard/state.js';
import { themeFor } from '../../src/dashboard/theme.js';
import { mostScroll, openBox } from '../../src/dashboard/views/boxes.js';
import { helpLines } from '../../src/dashboard/views/help.js';
import { selectedRequest } from '../../src/dashboard/views/requests.js';
import { record, snapshot } from './sample.js';

function start(size = { columns: 80, rows: 24 }): State {
  const state = initialState({ theme: themeFor({ LANG: 'C.UTF-8' }), size, now: 1_000 });
  const requests = Array.from({ length: 60 }, (_, index) => record(index));
  return reduce(state, {
    type: 'batch',
    batch: { snapshot: snapshot(), receivedAt: 1_000, recent: [], requests, dropped: 0, reloads: [] },
    now: 1_000,
  });
}

function type(state: State, ...keys: string[]): State {
  let now = state;
  for (const key of keys) {
    const { change } = press(now, key);
    if (change) now = reduce(now, { type: 'change', change });
  }
  return now;
}

const effect = (state: State, key: string): Effect['type'] | undefined => press(state, key).effect?.type;

test('number, letter, tab and arrow keys select a view', () => {
  const state = start();
  const shown = (...keys: string[]): string => type(state, ...keys).view;
  assert.equal(
    ['1', '2', '3', '4', '5', '6'].map((key) => shown(key)),
    ['traffic', 'limits', 'targets', 'requests', 'reloads', 'consumers'],
  );
  assert.equal(
    ['t', 'l', 'a', 'e', 'o', 'c'].map((key) => shown(key)),
    ['traffic', 'limits', 'targets', 'requests', 'reloads', 'consumers'],
  );
  assert.is(shown('tab'), 'limits');
  assert.is(shown('shift-tab'), 'consumers');
  assert.is(shown('right', 'right'), 'targets');
  assert.is(shown('left'), 'consumers');
  assert.is(shown('x'), 'traffic');
});

test('keys for quit, reload, repaint and suspend give effects', () => {
  const state = start();
  assert.equal(
    ['q', 'r', 'ctrl-c', 'ctrl-l', 'ctrl-z', 'z'].map((key) => effect(state, key)),
    ['quit', 'reload', 'quit', 'repaint', 'suspend', undefined],
  );
});

test('the sort key cycles through columns, the reverse key toggles', () => {
  let state = start();
  const seen = [];
  for (let index = 0; index < 8; index++) {
    seen.push(state.sort);
    state = type(state, 's');
  }
  assert.equal(seen, ['rate', 'requests', 'errors', 'p50', 'p95', 'p99', 'inFlight', 'name']);
  assert.is(state.sort, 'rate');
  assert.ok(type(state, 'S').reverse);
  assert.is(type(state, '2', 's').sort, 'rate', 'only where there is something to sort');
});

test('a filter can be typed, kept and cleared; letters are no shortcuts while typing', () => {
  const state = start();
  const typing = type(state, '/', 'q', 'r', '1', ' ', 'ü');
  assert.ok(typing.editing);
  assert.is(typing.filters.traffic, 'qr1 ü');
  assert.is(type(typing, 'backspace', 'backspace').filters.traffic, 'qr1');
  assert.is(type(typing, 'ctrl-w').filters.traffic, 'qr1 ');
  assert.is(type(typing, 'ctrl-u').filters.traffic, '');
  assert.equal([type(typing, 'return').editing, type(typing, 'return').filters.traffic], [false, 'qr1 ü']);
  assert.equal([type(typing, 'escape').editing, type(typing, 'escape').filters.traffic], [false, '']);
  assert.not(type(state, '/', 'backspace').editing);
  assert.is(effect(typing, 'ctrl-c'), 'quit');
  assert.is(effect(typing, 'q'), undefined);
  assert.is(type(state, '/', 'pageup').filters.traffic, '');
  assert.is(type(state, '/', ...'x'.repeat(500)).filters.traffic.length, 200);
  assert.is(type(state, '/', 'a', 'return', 'escape').filters.traffic, '', 'escape in the list clears a kept filter');
});

test('each view has its own filter', () => {
  const state = type(start(), '/', 'x', 'return', '2', '/', 'y', 'return');
  assert.equal([state.filters.traffic, state.filters.limits], ['x', 'y']);
});

test('keys move by row, page and to the ends; escape clears the selection', () => {
  const state = start();
  const at = (...keys: string[]): string | undefined => type(state, ...keys).cursors.traffic.id;
  const first = at('down');
  assert.ok(first);
  assert.is(at('j', 'j', 'k'), first);
  assert.is(at('end', 'home'), first);
  assert.is(at('G', 'pageup'), first);
  assert.is.not(at('pagedown'), first);
  assert.is(at('down', 'escape'), undefined);
  for (const view of ['2', '3', '5']) {
    const moved = type(state, view, 'down', 'down');
    assert.ok(moved.cursors[moved.view].id, view);
  }
});

test('details open for the selected route or the first one', () => {
  const state = start();
  assert.is(type(state, 'return').overlay, 'detail');
  assert.is(type(state, 'down', 'down', 'return').overlay, 'detail');
  assert.is(type(state, 'return', 'escape').overlay, 'none');
  for (const view of ['2', '3', '4']) assert.is(type(state, view, 'return').overlay, 'detail', view);
  assert.is(type(state, '5', 'return').overlay, 'none');
  assert.is(type(state, '/', ...'nothing-has-this', 'return', 'return').overlay, 'none');
  const next = type(state, 'return', 'right');
  assert.is.not(next.cursors.traffic.id, type(state, 'return').cursors.traffic.id);
});

test('a selected request freezes the list; g shows new requests again', () => {
  const state = type(start(), '4');
  assert.is(state.heldTail, undefined);
  const reading = type(state, 'down');
  assert.is(reading.heldTail, state.tail.entries);
  assert.is(selectedRequest(reading)?.id, 'req-59');
  const running = type(reading, 'g');
  assert.is(running.heldTail, undefined);
  assert.is(running.cursors.requests.id, undefined);
  assert.is(type(reading, 'escape').heldTail, undefined);
});

test('a key in an empty request list does not freeze it', () => {
  const empty = { ...start(), tail: { entries: [], nextSeq: 1, dropped: 0 } };
  assert.is(type(empty, '4', 'down').heldTail, undefined);
  assert.is(type(empty, '4', 'return').overlay, 'none');
});

test('f cycles through the kinds of replies', () => {
  const state = type(start(), '4');
  assert.equal([type(state, 'f').status, type(state, 'f', 'f').status], ['4xx', '5xx']);
  assert.is(type(state, 'f', 'f', 'f', 'f').status, 'all');
});

test('in a request, keys go to older and newer ones and scroll within its lines', () => {
  const state = type(start({ columns: 80, rows: 18 }), '4', 'return');
  assert.is(selectedRequest(state)?.id, 'req-59');
  assert.is(selectedRequest(type(state, 'right'))?.id, 'req-58');
  assert.is(selectedRequest(type(state, 'right', 'left'))?.id, 'req-59');
  const box = openBox(state);
  assert.ok(box && mostScroll(box) > 0);
  assert.is(type(state, 'down', 'J').scroll, 2);
  assert.is(type(state, 'end').scroll, box ? mostScroll(box) : 0);
  assert.is(type(state, 'end', 'K').scroll, (box ? mostScroll(box) : 0) - 1);
  assert.is(type(state, 'end', 'right').scroll, 0);
  assert.is(type(state, 'up').scroll, 0);
});

test('with details next to the list the arrow keys move in the list', () => {
  const state = type(start({ columns: 200, rows: 50 }), '4', 'return', 'down');
  assert.is(selectedRequest(state)?.id, 'req-58');
  assert.is(type(state, '/').editing, true);
});

test('pause freezes snapshot and tail; the newest data appears when it ends', () => {
  for (const key of ['p', ' ']) {
    const paused = type(start(), key);
    assert.ok(paused.paused);
    assert.is(paused.heldTail, paused.tail.entries);
    const newer = snapshot({}, { seed: 3 });
    const later = reduce(paused, {
      type: 'batch',
      batch: { snapshot: newer, receivedAt: 2, recent: [], requests: [record(99)], dropped: 0, reloads: [] },
      now: 2,
    });
    assert.is(type(later, '4', 'down', 'escape').heldTail, paused.tail.entries, 'letting go of a row ends no pause');
    const on = type(later, key);
    assert.is(on.snapshot, newer);
    assert.is(on.heldTail, undefined);
  }
  assert.is(type(start(), '4', 'return', 'p', 'p').overlay, 'none');
  assert.is(type(start(), 'return', 'p', 'p').overlay, 'detail');
});

test('no help line is cut at 80 columns', () => {
  const widest = Math.max(...helpLines().map(lineWidth));
  // A frame and a space on the left.
  assert.ok(widest <= 77, `${widest} columns`);
});

test('help opens, scrolls, closes, and switches to any view', () => {
  const help = type(start(), '?');
  assert.is(help.overlay, 'help');
  assert.is(type(help, 'j').scroll, 1);
  for (const key of ['?', 'escape', 'return']) assert.is(type(help, key).overlay, 'none', key);
  assert.equal([type(help, '3').view, type(help, '3').overlay], ['targets', 'none']);
  assert.is(effect(help, 'q'), 'quit');
  assert.is(type(help, 'x').overlay, 'help');
});

test('the diagnostics of a reload scroll by line and page', () => {
  const state = type(start(), '5');
  assert.is(type(state, 'J').scroll, 1);
  assert.ok(type(state, 'pagedown').scroll > 1);
  assert.is(type(state, 'pagedown', 'pageup').scroll, 0);
  assert.is(type(state, 'J', 'down').scroll, 0, 'another reload is read from its beginning');
  assert.is(type(start(), 'J').scroll, 0, 'no box, nothing to scroll');
});

test('keys choose a gateway from the list', () => {
  const entry = (pid: number) => ({ pid, spec: `/s${pid}`, socket: `/${pid}.sock`, startedAt: 0, listeners: [] });
  const state = reduce(start(), { type: 'pick', entries: [entry(1), entry(2)] });
  const chosen = press(type(state, 'down', 'down'), 'return').effect;
  assert.is(chosen?.type === 'choose' && chosen.entry.pid, 2);
  assert.is(press(type(state, 'down', 'up'), 'return').effect?.type, 'choose');
  assert.is(effect(state, 'q'), 'quit');
  assert.is(effect(state, 'escape'), 'quit');
  assert.equal(press(state, '1'), {});
  assert.equal(press(reduce(state, { type: 'pick', entries: [] }), 'return'), {});
});

const NO_KEY: Key = {
  upArrow: false,
  downArrow: false,
  leftArrow: false,
  rightArrow: false,
  pageDown: false,
  pageUp: false,
  home: false,
  end: false,
  return: false,
  escape: false,
  ctrl: false,
  shift: false,
  tab: false,
  backspace: false,
  delete: false,
  meta: false,
  super: false,
  hyper: false,
  capsLock: false,
  numLock: false,
};

test('input sequences map to key names', () => {
  const names = (input: string, key: Partial<Key> = {}): string[] => keyNames(input, { ...NO_KEY, ...key });
  assert.equal(names('', { upArrow: true }), ['up']);
  assert.equal(names('', { tab: true }), ['tab']);
  assert.equal(names('', { tab: true, shift: true }), ['shift-tab']);
  assert.equal(names('', { delete: true }), ['backspace']);
  assert.equal(names('', { escape: true, meta: true }), ['escape']);
  assert.equal(names('c', { ctrl: true }), ['ctrl-c']);
  assert.equal(names('space', { ctrl: true }), []);
  assert.equal(names('5', { meta: true }), ['escape', '5'], 'escape and 5 in one read');
  assert.equal(names('S', { shift: true }), ['S']);
  assert.equal(names('ab\r\x7fü\x00\x1d'), ['a', 'b', 'return', 'backspace', 'ü']);
});

test('control keys in one read with other keys are not lost', () => {
  assert.equal(keyNames('\x0c\x1a', NO_KEY), ['ctrl-l', 'ctrl-z']);
  assert.equal(keyNames('2\t\x03', NO_KEY), ['2', 'tab', 'ctrl-c']);
});

test.run();
