/** The dashboard's state, and how each event changes it. Pure: no clock, no terminal, no sockets. */
import type { GatewayEntry } from '../telemetry/admin-protocol.js';
import { reloadText } from '../telemetry/changes.js';
import type { ReloadSnapshot, RequestRecord, Snapshot } from '../telemetry/snapshot.js';
import type { Batch, Connection } from './feed.js';
import { age, plural } from './format.js';
import { EMPTY_HISTORY, extendHistory, type History } from './history.js';
import type { Size, ViewName } from './layout.js';
import type { LimitSort, RouteSort, StatusFilter, TailEntry } from './rows.js';
import type { Theme } from './theme.js';
import { type Cursor, TOP } from './window.js';

export type Overlay = 'none' | 'help' | 'detail';

export interface Notice {
  readonly kind: 'info' | 'good' | 'bad';
  readonly text: string;
  readonly until: number;
}

export interface Tail {
  /** Newest first, at most MOST_TAIL. */
  readonly entries: readonly TailEntry[];
  readonly nextSeq: number;
  /** Requests of which the gateway or the dashboard kept no record. */
  readonly dropped: number;
}

/** A snapshot, when it arrived, and the history up to it. */
export interface Received {
  readonly snapshot: Snapshot;
  readonly receivedAt: number;
  readonly history: History;
}

export interface State {
  readonly theme: Theme;
  readonly home: string | undefined;
  readonly size: Size;
  /** The dashboard's clock, in steps: for countdowns and ages. */
  readonly now: number;
  readonly view: ViewName;
  readonly overlay: Overlay;
  /** First line shown of a box that scrolls. */
  readonly scroll: number;
  readonly connection: Connection;
  /** What is shown; it stays the same while paused. */
  readonly shown: Received | undefined;
  readonly newest: Received | undefined;
  /** The snapshot of `shown`. */
  readonly snapshot: Snapshot | undefined;
  readonly paused: boolean;
  readonly tail: Tail;
  /** The tail as it was when a row was first selected; undefined while new requests show. */
  readonly heldTail: readonly TailEntry[] | undefined;
  readonly filters: Readonly<Record<ViewName, string>>;
  /** The filter is being typed. */
  readonly editing: boolean;
  readonly cursors: Readonly<Record<ViewName, Cursor>>;
  readonly sort: RouteSort;
  readonly reverse: boolean;
  readonly limitSort: LimitSort;
  readonly limitReverse: boolean;
  readonly status: StatusFilter;
  readonly reloading: boolean;
  readonly notice: Notice | undefined;
  readonly picker: { readonly entries: readonly GatewayEntry[]; readonly index: number } | undefined;
}

export type Action =
  | { readonly type: 'tick'; readonly now: number }
  | { readonly type: 'resize'; readonly size: Size }
  | { readonly type: 'connection'; readonly connection: Connection; readonly now: number }
  | { readonly type: 'batch'; readonly batch: Batch; readonly now: number }
  | { readonly type: 'reloading' }
  | { readonly type: 'reloaded'; readonly reload: ReloadSnapshot; readonly now: number }
  | { readonly type: 'notice'; readonly kind: Notice['kind']; readonly text: string; readonly now: number }
  | { readonly type: 'pick'; readonly entries: readonly GatewayEntry[] }
  | { readonly type: 'picked' }
  /** What a key changed, made by keys.ts from the state it was pressed in. */
  | { readonly type: 'change'; readonly change: Partial<State> };

/** Data that is older is not shown as the present. Snapshots come each second. */
export const STALE_AFTER_MS = 3_000;
/** Requests that the tail keeps. */
export const MOST_TAIL = 2_000;
const NOTICE_MS = 6_000;

const perView = <Value>(value: Value): Record<ViewName, Value> => ({
  traffic: value,
  limits: value,
  targets: value,
  requests: value,
  reloads: value,
  consumers: value,
});

export function initialState(options: { theme: Theme; size: Size; now: number; home?: string | undefined }): State {
  return {
    theme: options.theme,
    home: options.home,
    size: options.size,
    now: options.now,
    view: 'traffic',
    overlay: 'none',
    scroll: 0,
    connection: { status: 'connecting' },
    shown: undefined,
    newest: undefined,
    snapshot: undefined,
    paused: false,
    tail: { entries: [], nextSeq: 1, dropped: 0 },
    heldTail: undefined,
    filters: perView(''),
    editing: false,
    cursors: perView(TOP),
    sort: 'rate',
    reverse: false,
    limitSort: 'used',
    limitReverse: false,
    status: 'all',
    reloading: false,
    notice: undefined,
    picker: undefined,
  };
}

export function reduce(state: State, action: Action): State {
  switch (action.type) {
    case 'tick': {
      const stale = state.notice !== undefined && state.notice.until <= action.now;
      return { ...state, now: action.now, notice: stale ? undefined : state.notice };
    }
    case 'resize':
      return { ...state, size: action.size };
    case 'connection':
      return connected(state, action.connection, action.now);
    case 'batch':
      return received(state, action.batch, action.now);
    case 'reloading':
      return { ...state, reloading: true };
    case 'reloaded':
      return { ...state, reloading: false, notice: reloadNotice(action.reload, state.view, action.now) };
    case 'notice':
      return {
        ...state,
        reloading: false,
        notice: { kind: action.kind, text: action.text, until: action.now + NOTICE_MS },
      };
    case 'pick':
      return { ...state, picker: { entries: action.entries, index: 0 } };
    case 'picked':
      return { ...state, picker: undefined };
    case 'change':
      // A key removes the notice.
      return { ...state, notice: undefined, ...action.change };
  }
}

function connected(state: State, connection: Connection, now: number): State {
  const was = state.connection.status;
  const back = connection.status === 'live' && (was === 'lost' || was === 'silent');
  const notice: Notice | undefined = back
    ? { kind: 'good', text: 'connected again', until: now + NOTICE_MS }
    : state.notice;
  return { ...state, connection, now, notice };
}

function received(state: State, batch: Batch, now: number): State {
  const newest = batch.snapshot ? newestOf(state.newest, batch.snapshot, batch.receivedAt) : state.newest;
  const shown = state.paused ? state.shown : newest;
  const last = batch.reloads.at(-1);
  const before = state.newest?.snapshot.gateway;
  const restarted = before !== undefined && batch.snapshot !== undefined && before.pid !== batch.snapshot.gateway.pid;
  let notice = state.notice;
  if (restarted) {
    const text = `the gateway was restarted: process ${before.pid} is now ${batch.snapshot?.gateway.pid}`;
    notice = { kind: 'info', text, until: now + NOTICE_MS };
  }
  // A reload that was asked for here is reported by the answer to that.
  if (last && !state.reloading) notice = reloadNotice(last, state.view, now);
  const tail = grow(withRecent(state.tail, batch.recent), batch.requests, batch.dropped);
  return { ...state, now, newest, shown, snapshot: shown?.snapshot, notice, tail };
}

function newestOf(before: Received | undefined, snapshot: Snapshot, receivedAt: number): Received {
  const same = before?.snapshot.gateway.pid === snapshot.gateway.pid;
  const history = extendHistory(same ? before.history : EMPTY_HISTORY, snapshot);
  return { snapshot, receivedAt, history };
}

const endOf = ({ record }: TailEntry): number => record.at + record.durationMs;

/** Adds requests that ended before the stream began. The stream may have been reopened, so known ones are left out. */
function withRecent(tail: Tail, recent: readonly RequestRecord[]): Tail {
  if (recent.length === 0) return tail;
  const keyOf = ({ id, durationMs }: RequestRecord): string => `${id} ${durationMs}`;
  const known = new Set(tail.entries.map(({ record }) => keyOf(record)));
  const missing = recent.filter((record) => !known.has(keyOf(record)));
  const entries = [...tail.entries, ...missing.map((record, index) => ({ seq: tail.nextSeq + index, record }))];
  entries.sort((a, b) => endOf(b) - endOf(a));
  return { ...tail, entries: entries.slice(0, MOST_TAIL), nextSeq: tail.nextSeq + missing.length };
}

function grow(tail: Tail, requests: readonly RequestRecord[], dropped: number): Tail {
  if (requests.length === 0 && dropped === 0) return tail;
  const fresh: TailEntry[] = [];
  for (let index = requests.length - 1; index >= 0 && fresh.length < MOST_TAIL; index--) {
    const record = requests[index];
    if (record) fresh.push({ seq: tail.nextSeq + index, record });
  }
  return {
    entries: [...fresh, ...tail.entries.slice(0, MOST_TAIL - fresh.length)],
    nextSeq: tail.nextSeq + requests.length,
    dropped: tail.dropped + dropped,
  };
}

function reloadNotice(reload: ReloadSnapshot, view: ViewName, now: number): Notice {
  const until = now + NOTICE_MS;
  if (reload.outcome === 'live') {
    const what = reload.refreshed ? 'consumers reloaded' : `generation ${reload.generation ?? '?'} is live`;
    return { kind: 'good', text: `${what}: ${reloadText(reload)}`, until };
  }
  const where = view === 'reloads' ? '' : ': press 5 to read why';
  const text = `the spec was rejected with ${plural(reload.errors, 'error')}${where}`;
  return { kind: 'bad', text, until: until + NOTICE_MS };
}

/** Age of the shown data in milliseconds if it is stale; undefined while it is current. */
export function staleFor({ shown, now, connection }: State): number | undefined {
  if (!shown) return undefined;
  const old = Math.max(0, now - shown.receivedAt);
  return old > STALE_AFTER_MS || connection.status === 'lost' ? old : undefined;
}

/** The state as it is drawn: data that is stale is dimmed, and says how old it is. */
export function withStaleness(state: State): State {
  const old = staleFor(state);
  if (old === undefined) return state;
  const current = state.newest !== undefined && state.now - state.newest.receivedAt <= STALE_AFTER_MS;
  const stale = state.paused && current ? `paused, ${age(old)} old` : `stale ${age(old)}`;
  return { ...state, theme: { ...state.theme, stale } };
}

/** The requests to show: those that come in, or those that were there when a row was selected. */
export function shownTail(state: State): readonly TailEntry[] {
  return state.heldTail ?? state.tail.entries;
}
