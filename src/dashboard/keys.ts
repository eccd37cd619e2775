/** What a key does, by where it is pressed. */
import type { GatewayEntry } from '../telemetry/admin-protocol.js';
import { isSideBySide, listRows, VIEWS, type ViewName } from './layout.js';
import { LIMIT_SORTS, ROUTE_SORTS, STATUS_FILTERS, targetRows } from './rows.js';
import type { State } from './state.js';
import { mostScroll, openBox } from './views/boxes.js';
import { consumerList } from './views/consumers.js';
import { limitList } from './views/limits.js';
import { reloadList } from './views/reloads.js';
import { tailRows } from './views/requests.js';
import { trafficRows } from './views/traffic.js';
import { type Identified, move, TOP } from './window.js';

/** An effect besides a change of the state. */
export type Effect =
  | { readonly type: 'quit' }
  | { readonly type: 'reload' }
  | { readonly type: 'repaint' }
  | { readonly type: 'suspend' }
  | { readonly type: 'choose'; readonly entry: GatewayEntry };

export interface Pressed {
  readonly change?: Partial<State>;
  readonly effect?: Effect;
}

const NOTHING: Pressed = {};
const LETTERS: Readonly<Record<string, ViewName>> = {
  t: 'traffic',
  l: 'limits',
  a: 'targets',
  e: 'requests',
  o: 'reloads',
  c: 'consumers',
};
const LONGEST_FILTER = 200;

/** Rows of the view's list, filtered and in order. */
export function listOf(state: State): readonly Identified[] {
  switch (state.view) {
    case 'traffic':
      return trafficRows(state);
    case 'limits':
      return limitList(state);
    case 'targets':
      return targetRows(state.snapshot, state.filters.targets);
    case 'requests':
      return tailRows(state);
    case 'reloads':
      return reloadList(state);
    case 'consumers':
      return consumerList(state);
  }
}

/** `key` is a printable character, or the name of a key: `up`, `return`, `ctrl-c`. */
export function press(state: State, key: string): Pressed {
  if (key === 'ctrl-c') return { effect: { type: 'quit' } };
  if (key === 'ctrl-l') return { effect: { type: 'repaint' } };
  if (key === 'ctrl-z') return { effect: { type: 'suspend' } };
  if (state.picker) return pressInPicker(state, state.picker, key);
  if (state.editing) return pressInFilter(state, key);
  if (key === 'q') return { effect: { type: 'quit' } };
  if (state.overlay === 'help') return pressInHelp(state, key);
  return (
    pressAnywhere(state, key) ?? (state.overlay === 'detail' ? pressInDetail(state, key) : pressInList(state, key))
  );
}

function pressInPicker(state: State, picker: NonNullable<State['picker']>, key: string): Pressed {
  const step = stepOf(key, picker.entries.length);
  if (key === 'q' || key === 'escape') return { effect: { type: 'quit' } };
  if (key === 'return') {
    const entry = picker.entries[picker.index];
    return entry ? { effect: { type: 'choose', entry } } : NOTHING;
  }
  if (step === undefined) return NOTHING;
  const index = Math.max(0, Math.min(picker.entries.length - 1, picker.index + step));
  return { change: { picker: { ...state.picker, entries: picker.entries, index } } };
}

function pressInFilter(state: State, key: string): Pressed {
  const filter = state.filters[state.view];
  const set = (text: string): Pressed => ({
    change: {
      filters: { ...state.filters, [state.view]: text.slice(0, LONGEST_FILTER) },
      cursors: { ...state.cursors, [state.view]: TOP },
    },
  });
  if (key === 'return' || key === 'down' || key === 'tab') return { change: { editing: false } };
  if (key === 'escape') return { change: { ...set('').change, editing: false } };
  if (key === 'backspace') {
    return filter === '' ? { change: { editing: false } } : set([...filter].slice(0, -1).join(''));
  }
  if (key === 'ctrl-u') return set('');
  if (key === 'ctrl-w') return set(filter.replace(/\S+\s*$/, ''));
  return [...key].length === 1 ? set(filter + key) : NOTHING;
}

function pressInHelp(state: State, key: string): Pressed {
  if (key === '?' || key === 'escape' || key === 'return') return { change: { overlay: 'none', scroll: 0 } };
  const step = stepOf(key, boxPage(state));
  return step === undefined ? (pressAnywhere(state, key) ?? NOTHING) : scroll(state, step);
}

/** Keys that mean the same in every view. */
function pressAnywhere(state: State, key: string): Pressed | undefined {
  const letter = LETTERS[key];
  if (letter) return show(letter);
  if (/^[1-6]$/.test(key)) return show(VIEWS[Number(key) - 1] ?? state.view);
  if (key === 'tab' || key === 'shift-tab') return show(beside(state.view, key === 'tab' ? 1 : -1));
  if (key === '?') return { change: { overlay: 'help', scroll: 0 } };
  if (key === 'r') return { effect: { type: 'reload' } };
  if (key === 'p' || key === ' ') return pause(state);
  if (key === 'J' || key === 'K') return scroll(state, key === 'J' ? 1 : -1);
  return undefined;
}

const show = (view: ViewName): Pressed => ({ change: { view, overlay: 'none', scroll: 0 } });

function beside(view: ViewName, step: number): ViewName {
  return VIEWS[(VIEWS.indexOf(view) + step + VIEWS.length) % VIEWS.length] ?? view;
}

function pause(state: State): Pressed {
  if (!state.paused) return { change: { paused: true, heldTail: state.heldTail ?? state.tail.entries } };
  const cursors = { ...state.cursors, requests: TOP };
  const overlay = state.view === 'requests' && state.overlay === 'detail' ? 'none' : state.overlay;
  return {
    change: {
      paused: false,
      shown: state.newest,
      snapshot: state.newest?.snapshot,
      heldTail: undefined,
      cursors,
      overlay,
    },
  };
}

function pressInDetail(state: State, key: string): Pressed {
  if (key === 'escape' || key === 'return' || key === 'backspace') return { change: { overlay: 'none', scroll: 0 } };
  if (key === 'left' || key === 'right') return withMove(state, key === 'left' ? -1 : 1, { scroll: 0 });
  const withList = state.view === 'requests' || state.view === 'traffic';
  if (withList && isSideBySide(state.size) && !key.startsWith('page')) {
    const step = stepOf(key, 1);
    return step === undefined ? pressInList(state, key) : withMove(state, step, { scroll: 0 });
  }
  const step = stepOf(key, boxPage(state));
  return step === undefined ? NOTHING : scroll(state, step);
}

function pressInList(state: State, key: string): Pressed {
  switch (key) {
    case '/':
      return { change: { editing: true } };
    case 'left':
      return show(beside(state.view, -1));
    case 'right':
      return show(beside(state.view, 1));
    case 'escape':
      return release(state);
    case 'return':
      return openDetail(state);
    default:
  }
  if (state.view === 'traffic' && key === 's') {
    return { change: { sort: after(ROUTE_SORTS, state.sort), cursors: { ...state.cursors, traffic: TOP } } };
  }
  if (state.view === 'traffic' && key === 'S') return { change: { reverse: !state.reverse } };
  if (state.view === 'limits' && key === 's') {
    return { change: { limitSort: after(LIMIT_SORTS, state.limitSort), cursors: { ...state.cursors, limits: TOP } } };
  }
  if (state.view === 'limits' && key === 'S') return { change: { limitReverse: !state.limitReverse } };
  if (state.view === 'requests' && key === 'f') {
    return { change: { status: after(STATUS_FILTERS, state.status), cursors: { ...state.cursors, requests: TOP } } };
  }
  if (state.view === 'requests' && (key === 'g' || key === 'home')) return release(state, true);
  if (state.view === 'reloads' && key.startsWith('page')) {
    return scroll(state, (key === 'pageup' ? -1 : 1) * boxPage(state));
  }
  const step = stepOf(key, listRows(state.view, state.size));
  return step === undefined ? NOTHING : withMove(state, step, state.view === 'reloads' ? { scroll: 0 } : {});
}

function after<Value>(values: readonly Value[], value: Value): Value {
  return values[(values.indexOf(value) + 1) % values.length] ?? value;
}

/** Rows that a key moves by; undefined for other keys. */
function stepOf(key: string, pageRows: number): number | undefined {
  switch (key) {
    case 'up':
    case 'k':
      return -1;
    case 'down':
    case 'j':
      return 1;
    case 'pageup':
      return -pageRows;
    case 'pagedown':
      return pageRows;
    case 'home':
    case 'g':
      return Number.NEGATIVE_INFINITY;
    case 'end':
    case 'G':
      return Number.POSITIVE_INFINITY;
    default:
      return undefined;
  }
}

function boxPage(state: State): number {
  return openBox(state)?.rows ?? 1;
}

function scroll(state: State, step: number): Pressed {
  const box = openBox(state);
  if (!box) return NOTHING;
  const most = mostScroll(box);
  return { change: { scroll: Math.max(0, Math.min(most, Math.min(state.scroll, most) + step)) } };
}

/** Selecting a request keeps the list as it is. */
function withMove(state: State, step: number, more: Partial<State>): Pressed {
  const rows = listOf(state);
  if (rows.length === 0) return NOTHING;
  const held: Partial<State> = state.view === 'requests' ? { heldTail: state.heldTail ?? state.tail.entries } : {};
  const cursor = move(rows, state.cursors[state.view], step, listRows(state.view, state.size));
  return { change: { ...more, ...held, cursors: { ...state.cursors, [state.view]: cursor } } };
}

/** Undoes one thing a press: the selection, then the filter. */
function release(state: State, keepFilter = false): Pressed {
  const held: Partial<State> = state.view === 'requests' && !state.paused ? { heldTail: undefined } : {};
  const cursor = state.cursors[state.view];
  if (cursor.id !== undefined || keepFilter) {
    return { change: { ...held, cursors: { ...state.cursors, [state.view]: TOP } } };
  }
  return { change: { ...held, filters: { ...state.filters, [state.view]: '' } } };
}

function openDetail(state: State): Pressed {
  if (state.view === 'reloads') return NOTHING;
  const rows = listOf(state);
  if (rows.length === 0) return NOTHING;
  if (rows.some((row) => row.id === state.cursors[state.view].id)) return { change: { overlay: 'detail', scroll: 0 } };
  return { change: { ...withMove(state, 1, {}).change, overlay: 'detail', scroll: 0 } };
}
