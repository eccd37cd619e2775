/** Consumers: what each one did, what was refused and why, and when its credentials expire. */
import type { CallerSnapshot, ConsumerSnapshot, CredentialSnapshot } from '../../telemetry/snapshot.js';
import { age, count, dateTime, percent, plural, rate, span as spanOf } from '../format.js';
import { listRows, paneHeight } from '../layout.js';
import { type Line, printable, span } from '../line.js';
import { type ConsumerRow, consumerRows } from '../rows.js';
import type { State } from '../state.js';
import { type Column, counted, headerLine, place, rangeText, rowLine } from '../table.js';
import type { Theme, Tone } from '../theme.js';
import { indexOf, page } from '../window.js';
import { listFooter } from './chrome.js';
import { centred } from './empty.js';
import { endSecond, type PaneRow, paneFrame, paneLines } from './pane.js';

/** Milliseconds before its expiry from which a credential is marked. */
const SOON = 7 * 86_400_000;

const refusedOf = ({ refused }: CallerSnapshot): number => Object.values(refused).reduce((sum, one) => sum + one, 0);

/** Errors and their counts, the most frequent first. */
const reasonsOf = ({ refused }: CallerSnapshot): (readonly [error: string, count: number])[] =>
  Object.entries(refused).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));

const callerOf = (row: ConsumerRow): CallerSnapshot => (row.kind === 'unknown' ? row.caller : row.consumer);

/** What a credential is now. */
function stateOf({ disabled, expires }: CredentialSnapshot, now: number): readonly [string, Tone] {
  if (disabled) return ['disabled', 'bad'];
  if (expires === null) return ['does not expire', 'dim'];
  if (expires <= now) return [`expired ${age(now - expires)} ago`, 'bad'];
  return [`expires in ${spanOf(expires - now)}`, expires - now < SOON ? 'warn' : 'plain'];
}

/** The credential that expires next; if all have expired, that is what matters. */
export function expiryOf({ credentials, disabled }: ConsumerSnapshot, now: number): readonly [string, Tone] {
  if (disabled) return ['disabled', 'bad'];
  const usable = credentials.filter((one) => !one.disabled && (one.expires === null || one.expires > now));
  if (credentials.length > 0 && usable.length === 0) return ['none valid', 'bad'];
  const times = usable.flatMap(({ expires }) => (expires === null ? [] : [expires]));
  if (times.length === 0) return ['-', 'dim'];
  const left = Math.min(...times) - now;
  return [`in ${spanOf(left)}`, left < SOON ? 'warn' : 'plain'];
}

function columnsFor(now: number): readonly Column<ConsumerRow>[] {
  const consumer = (show: (one: ConsumerSnapshot) => string | readonly [string, Tone]) => (row: ConsumerRow) =>
    row.kind === 'unknown' ? (['-', 'dim'] as const) : show(row.consumer);
  return [
    {
      title: 'CONSUMER',
      min: 14,
      grow: 2,
      max: 40,
      cell: (row) => (row.kind === 'unknown' ? ['(not identified)', 'dim'] : [row.consumer.name, 'title']),
    },
    {
      title: 'PLAN',
      min: 8,
      grow: 1,
      max: 20,
      spare: 3,
      cell: consumer(({ plan }) => plan ?? (['-', 'dim'] as const)),
    },
    { title: 'GROUPS', min: 10, grow: 1, max: 30, spare: 8, cell: consumer(({ groups }) => groups.join(', ') || '-') },
    { title: 'REQ/S', min: 6, align: 'right', cell: (row) => [rate(callerOf(row).requestsPerSecond), 'accent'] },
    { title: 'REQUESTS', min: 8, align: 'right', cell: (row) => counted(callerOf(row).requests, 'plain') },
    { title: 'REFUSED', min: 7, align: 'right', cell: (row) => counted(refusedOf(callerOf(row)), 'bad') },
    { title: 'MOSTLY FOR', min: 16, grow: 2, max: 40, spare: 5, cell: (row) => mostly(callerOf(row)) },
    { title: 'LAST SEEN', min: 9, align: 'right', cell: (row) => seen(callerOf(row), now) },
    { title: 'EXPIRES', min: 10, align: 'right', spare: 1, cell: consumer((one) => expiryOf(one, now)) },
    {
      title: 'CREDENTIALS',
      min: 11,
      align: 'right',
      spare: 7,
      cell: consumer(({ credentials }) => counted(credentials.length, 'plain')),
    },
  ];
}

const mostly = (caller: CallerSnapshot): readonly [string, Tone] => {
  const [first] = reasonsOf(caller);
  return first === undefined ? ['-', 'dim'] : [first[0], 'warn'];
};

const seen = ({ lastSeen }: CallerSnapshot, now: number): readonly [string, Tone] =>
  lastSeen === null ? ['never', 'dim'] : [`${age(Math.max(0, now - lastSeen))} ago`, 'plain'];

export const consumerList = (state: State): readonly ConsumerRow[] =>
  consumerRows(state.snapshot, state.filters.consumers);

/** The consumers, and the selected one in detail below. */
export function consumersTable(state: State): Line[] {
  const { theme, size } = state;
  const most = listRows('consumers', size);
  const rows = consumerList(state);
  const placed = place(columnsFor(state.snapshot?.gateway.now ?? 0), size.columns);
  const shown = page(rows, state.cursors.consumers, most);
  const lines: Line[] = [headerLine(placed, theme)];
  for (const [index, row] of shown.rows.entries()) lines.push(rowLine(placed, row, index === shown.selected, theme));
  if (rows.length === 0) lines.push(...centred(noConsumers(state), size.columns, most, theme));
  while (lines.length < most + 1) lines.push([]);
  const height = paneHeight(size);
  if (height > 0) {
    const pane = consumerDetail(state, size.columns - 4);
    lines.push(...paneFrame(consumerTitle(state), pane, height, size.columns, theme));
  }
  lines.push(listFooter(state, rangeOf(state, shown.first, shown.rows.length, shown.total)));
  return lines;
}

/** A snapshot has the consumers that were seen last. */
function rangeOf({ snapshot }: State, first: number, rows: number, total: number): string {
  const { declared = 0, shown = [] } = snapshot?.consumers ?? {};
  const text = rangeText(first, rows, total, 'row');
  return declared > shown.length ? `${text}, of ${plural(declared, 'consumer')} those seen last` : text;
}

function noConsumers({ snapshot }: State): Line[] {
  const { declared = 0 } = snapshot?.consumers ?? {};
  if (declared > 0) return [[span(`none of ${plural(declared, 'consumer')} passes the filter`, 'dim')]];
  return [
    [span('this spec has no consumers: one looks like this', 'dim')],
    [],
    [span('[consumer.acme]', 'accent')],
    [],
    [span('and  gw keys new acme  makes a key for it', 'dim')],
  ];
}

/** The row in detail: the selected one, else the first. */
function detailRow(state: State): ConsumerRow | undefined {
  const rows = consumerList(state);
  return rows[indexOf(rows, state.cursors.consumers)] ?? rows[0];
}

export function consumerTitle(state: State): Line {
  const row = detailRow(state);
  if (row === undefined) return [span('consumer', 'title')];
  if (row.kind === 'unknown') return [span('callers that were not identified', 'title')];
  return [span(printable(row.consumer.name, state.theme), 'title')];
}

/** All about a consumer. */
export function consumerDetail(state: State, columns: number): Line[] {
  const row = detailRow(state);
  if (row === undefined) return [[span('the selected consumer shows here', 'dim')]];
  const now = state.snapshot?.gateway.now ?? 0;
  return paneLines(paneRows(row, now, state.theme), columns, state.theme, endSecond(now));
}

function paneRows(row: ConsumerRow, now: number, theme: Theme): PaneRow[] {
  const caller = callerOf(row);
  const refused = refusedOf(caller);
  const reasons = reasonsOf(caller).map(([error, times]) => `${error} ${count(times)}`);
  const traffic: PaneRow[] = [
    { label: 'requests', text: `${count(caller.requests)}, ${rate(caller.requestsPerSecond)}/s now` },
    {
      label: 'refused',
      text: refused === 0 ? 'none' : `${count(refused)} (${percent(refused, caller.requests)}): ${reasons.join(', ')}`,
      tone: refused > 0 ? 'warn' : 'dim',
    },
    {
      label: 'last seen',
      text: caller.lastSeen === null ? 'not since the gateway started' : dateTime(caller.lastSeen),
      tone: caller.lastSeen === null ? 'dim' : 'plain',
    },
  ];
  if (row.kind === 'unknown') return traffic;
  const { plan, groups, disabled, credentials } = row.consumer;
  const state = disabled ? [span('disabled  ', 'bad')] : [];
  return [
    {
      label: 'plan',
      text: [
        ...state,
        span(printable(plan ?? 'none', theme), plan === null ? 'dim' : 'accent'),
        span(groups.length === 0 ? '' : `  groups ${printable(groups.join(', '), theme)}`, 'dim'),
      ],
    },
    ...traffic,
    ...credentials.map((one, index): PaneRow => {
      const [text, tone] = stateOf(one, now);
      return {
        label: index === 0 ? 'credentials' : '',
        text: [span(printable(`${one.kind} ${one.name}`, theme)), span(`  ${text}`, tone)],
      };
    }),
  ];
}
