import type { CheckSnapshot } from '../../telemetry/check-snapshot.js';
import type { DutySnapshot, TargetSnapshot } from '../../telemetry/snapshot.js';
import { age, count, latency, percent, plural, rate, span as spanOf, timeOfDay } from '../format.js';
import { targetId, targetText } from '../history.js';
import { listRows, paneHeight } from '../layout.js';
import { inverse, type Line, printable, type Span, span, spread } from '../line.js';
import { type TargetRow, targetRows } from '../rows.js';
import type { State } from '../state.js';
import { type Column, counted, headerLine, place, rangeText, rowLine } from '../table.js';
import type { Theme, Tone } from '../theme.js';
import { indexOf, page } from '../window.js';
import { listFooter } from './chrome.js';
import { dutiesLine, dutyColumns, dutyRows, dutyTitle } from './duties.js';
import { centred } from './empty.js';
import { endSecond, type PaneRow, paneFrame, paneLines } from './pane.js';

type OneTarget = TargetRow & { kind: 'target' };

const isFailing = ({ health, failingSince }: TargetSnapshot): boolean => health !== 'healthy' || failingSince !== null;

function health(target: TargetSnapshot, { glyphs, stale }: Theme): readonly [string, Tone] {
  if (target.health === 'ejected') return [`${glyphs.bad} ejected`, 'bad'];
  if (target.health === 'unhealthy') return [`${glyphs.bad} unhealthy`, 'bad'];
  if (target.failingSince !== null) return [`${glyphs.warn} failing`, 'warn'];
  return stale === undefined ? [`${glyphs.good} healthy`, 'good'] : ['  was healthy', 'dim'];
}

const PROCESS_TONES = { ready: 'good', starting: 'warn', draining: 'warn', backoff: 'bad', stopped: 'bad' } as const;

function processText({ process }: TargetSnapshot, { glyphs, stale }: Theme): readonly [string, Tone] {
  if (!process) return ['-', 'dim'];
  const state = stale !== undefined && process.state === 'ready' ? 'was ready' : process.state;
  const pid = process.pid === null ? '' : ` ${process.pid}`;
  const again = process.restarts > 0 ? ` ${glyphs.restarts}${count(process.restarts)}` : '';
  return [`${state}${pid}${again}`, PROCESS_TONES[process.state]];
}

/** Since when it fails and why; of one that replies, how long ago it failed last. */
function failure(target: TargetSnapshot, now: number): readonly [string, Tone] {
  const { lastFailure: last, failingSince: since } = target;
  if (since !== null) return [`for ${age(now - since)}: ${last?.cause ?? 'unknown'}`, 'bad'];
  if (last === null) return ['-', 'dim'];
  return [`${age(now - last.at)} ago: ${last.cause}`, isFailing(target) ? 'bad' : 'dim'];
}

const retry = ({ health, ejectedForMs }: TargetSnapshot): readonly [string, Tone] =>
  health === 'ejected' ? [`in ${spanOf(ejectedForMs)}`, 'warn'] : ['-', 'dim'];

function columnsFor(theme: Theme, now: number): readonly Column<OneTarget>[] {
  return [
    {
      title: 'TARGET',
      min: 17,
      grow: 2,
      max: 60,
      keep: 'end',
      cell: ({ target }) => [`  ${targetText(target).replace(/^http:\/\//, '')}`, 'title'],
    },
    { title: 'HEALTH', min: 13, cell: ({ target }) => health(target, theme) },
    { title: 'FAILURE', min: 26, grow: 3, max: 80, cell: ({ target }) => failure(target, now) },
    { title: 'RETRY', min: 8, align: 'right', spare: 1, cell: ({ target }) => retry(target) },
    { title: 'PROCESS', min: 14, grow: 1, max: 24, spare: 8, cell: ({ target }) => processText(target, theme) },
    { title: 'WEIGHT', min: 6, align: 'right', spare: 10, cell: ({ target }) => count(target.weight) },
    { title: 'REQUESTS', min: 8, align: 'right', spare: 2, cell: ({ target }) => counted(target.requests, 'plain') },
    { title: 'FAILED', min: 6, align: 'right', spare: 3, cell: ({ target }) => counted(target.failures, 'bad') },
    { title: 'IN FLIGHT', min: 9, align: 'right', spare: 6, cell: ({ target }) => counted(target.inFlight, 'accent') },
    {
      title: 'CONNECTIONS',
      min: 11,
      align: 'right',
      spare: 7,
      cell: ({ target }) => counted(target.connections, 'plain'),
    },
    { title: 'P50', min: 6, align: 'right', spare: 9, cell: ({ target }) => latency(target.latency.p50) },
    { title: 'P95', min: 6, align: 'right', spare: 5, cell: ({ target }) => latency(target.latency.p95) },
    { title: 'P99', min: 6, align: 'right', spare: 9, cell: ({ target }) => latency(target.latency.p99) },
  ];
}

/** Most callers of a service in its heading. */
const CALLERS_NAMED = 3;

function calledBy(target: TargetSnapshot | undefined, theme: Theme): string {
  const callers = target?.calledBy ?? [];
  const more = callers.length - CALLERS_NAMED;
  const shown = more > 1 ? [...callers.slice(0, CALLERS_NAMED), `${more} more`] : callers;
  return callers.length === 0 ? '' : `, called by ${printable(shown.join(', '), theme)}`;
}

/** What is unusual about a service as a whole. */
function serviceState(name: string, { snapshot, theme }: State): Span[] {
  const service = snapshot?.services?.find((one) => one.name === name);
  const state: Span[] = [];
  const breaker = service?.guard?.breaker ?? 'closed';
  if (breaker !== 'closed')
    state.push(span(`  ${theme.glyphs.bad} circuit breaker ${breaker}`, breaker === 'open' ? 'bad' : 'warn'));
  const { instances, waiting = 0 } = service ?? {};
  if (instances !== undefined && instances.max > 1)
    state.push(span(`  ${instances.states.ready} ready of ${instances.min}..${instances.max}`, 'dim'));
  if (waiting > 0) state.push(span(`  ${plural(waiting, 'request')} waiting`, 'warn'));
  if (service !== undefined && service.panic > 0) state.push(span('  too few available, all are used', 'warn'));
  return state;
}

function headingLine(row: TargetRow & { kind: 'service' }, selected: boolean, state: State): Line {
  const failing = row.targets.filter(isFailing).length;
  const { theme } = state;
  const left: Span[] = [
    span(selected ? theme.glyphs.marker.padEnd(2) : '  ', 'accent'),
    span(printable(row.service, theme), 'accent'),
    span(`  ${plural(row.targets.length, 'target')}${calledBy(row.targets[0], theme)}`, 'dim'),
  ];
  left.push(...serviceState(row.service, state));
  if (failing > 0) left.push(span(`  ${theme.glyphs.bad} ${failing} of ${row.targets.length} failing`, 'bad'));
  const line = spread(left, [], state.size.columns, theme);
  return selected ? inverse(line) : line;
}

/** Services with their targets, and the selected target in detail below. */
export function targetsTable(state: State): Line[] {
  const { theme, size } = state;
  const most = listRows('targets', size);
  const rows = targetRows(state.snapshot, state.filters.targets);
  const now = state.snapshot?.gateway.now ?? 0;
  const placed = place(columnsFor(theme, now), size.columns);
  const duties = dutyColumns(placed, theme, now);
  const shown = page(rows, state.cursors.targets, most);
  const lines: Line[] = [headerLine(placed, theme)];
  for (const [index, row] of shown.rows.entries()) {
    const selected = index === shown.selected;
    if (row.kind === 'target') lines.push(rowLine(placed, row, selected, theme));
    else if (row.kind === 'duty') lines.push(rowLine(duties, row, selected, theme));
    else if (row.kind === 'duties') lines.push(dutiesLine(row, selected, state));
    else lines.push(headingLine(row, selected, state));
  }
  if (rows.length === 0) {
    const all = state.snapshot?.targets.length ?? 0;
    const text =
      all > 0 ? `none of ${plural(all, 'target')} passes the filter` : 'no service of this spec has a target';
    lines.push(...centred([[span(text, 'dim')]], size.columns, most, theme));
  }
  while (lines.length < most + 1) lines.push([]);
  const height = paneHeight(size);
  if (height > 0) {
    const pane = targetDetail(state, size.columns - 4);
    lines.push(...paneFrame(targetTitle(state), pane, height, size.columns, theme));
  }
  lines.push(listFooter(state, rangeText(shown.first, shown.rows.length, shown.total, 'row')));
  return lines;
}

/** The selected duty; of all duties the first one that fails. */
function detailDuty(state: State): DutySnapshot | undefined {
  const rows = targetRows(state.snapshot, state.filters.targets);
  const row = rows[indexOf(rows, state.cursors.targets)];
  if (row?.kind === 'duty') return row.duty;
  return row?.kind === 'duties' ? (row.duties.find(({ failing }) => failing) ?? row.duties[0]) : undefined;
}

/** The target in detail: the selected one, the first of the selected service, else the first one that fails. */
function detailTarget(state: State): TargetSnapshot | undefined {
  const rows = targetRows(state.snapshot, state.filters.targets);
  const row = rows[indexOf(rows, state.cursors.targets)];
  if (row?.kind === 'target') return row.target;
  if (row?.kind === 'service') return row.targets[0];
  const targets = rows.flatMap((one) => (one.kind === 'target' ? [one.target] : []));
  return targets.find(isFailing) ?? targets[0];
}

export function targetTitle(state: State): Line {
  const duty = detailDuty(state);
  if (duty) return [span(printable(dutyTitle(duty), state.theme), 'title')];
  const target = detailTarget(state);
  const title = target ? `${target.service}  ${targetText(target)}` : 'target';
  return [span(printable(title, state.theme), 'title')];
}

/** All about a target, or a duty. */
export function targetDetail(state: State, columns: number): Line[] {
  const now = state.snapshot?.gateway.now ?? 0;
  const duty = detailDuty(state);
  if (duty) return paneLines(dutyRows(duty, now, state.theme), columns, state.theme, endSecond(now));
  const target = detailTarget(state);
  if (!target) return [[span('the selected target shows here', 'dim')]];
  return paneLines(targetPaneRows(target, state, now), columns, state.theme, endSecond(now));
}

function targetPaneRows(target: TargetSnapshot, state: State, now: number): PaneRow[] {
  const { theme } = state;
  const { p50, p95, p99 } = target.latency;
  const series = state.shown?.history.targets.get(targetId(target))?.series;
  const [text, tone] = health(target, theme);
  const { process } = target;
  const [processState, processTone] = processText(target, theme);
  return [
    {
      label: 'health',
      text: [
        span(text.trim(), tone),
        span(target.health === 'ejected' ? `, tried again in ${spanOf(target.ejectedForMs)}` : '', 'warn'),
        span(`  weight ${target.weight}, ${plural(target.connections, 'connection')}`, 'dim'),
      ],
    },
    { label: 'failure', text: failureLine(target, now, theme) },
    ...(target.check === undefined ? [] : [{ label: 'checks', text: checkText(target.check, now) }]),
    {
      label: 'requests',
      text: `${count(target.requests)}, ${count(target.inFlight)} in flight`,
      sparkline: { values: series?.['requests'] ?? [], show: (value) => `${rate(value)}/s` },
    },
    {
      label: 'failed',
      text: `${count(target.failures)} (${percent(target.failures, target.requests)})`,
      tone: target.failures > 0 ? 'bad' : 'plain',
      sparkline: { values: series?.['failures'] ?? [], show: (value) => `${rate(value)}/s`, tone: 'bad' },
    },
    {
      label: 'latency',
      text: `p50 ${latency(p50)}  p95 ${latency(p95)}  p99 ${latency(p99)}`,
      sparkline: { values: series?.['p95'] ?? [], show: latency, tone: 'accent' },
    },
    ...(target.calledBy ? [{ label: 'called by', text: target.calledBy.join(', ') }] : []),
    process
      ? {
          label: 'process',
          text: [span(processState, processTone), span(`  ${printable(process.command, theme)}`, 'dim')],
        }
      : { label: 'process', text: 'not started by this gateway', tone: 'dim' },
  ];
}

function checkText({ cause, failed, lastAt, state, succeeded }: CheckSnapshot, now: number): string {
  const last = lastAt === null ? 'none yet' : `last ${age(now - lastAt)} ago`;
  const why = cause === null ? '' : `, last failure: ${cause}`;
  return `${state}, ${count(succeeded)} succeeded, ${count(failed)} failed, ${last}${why}`;
}

function failureLine({ lastFailure: last, failingSince: since }: TargetSnapshot, now: number, theme: Theme): Line {
  if (last === null) return [span('none since the gateway started', 'dim')];
  const cause = printable(last.cause, theme);
  const error = span(`  ${last.error}`, 'dim');
  if (since === null)
    return [span(`${cause}, ${age(now - last.at)} ago`, 'warn'), span('; it has replied since', 'dim'), error];
  return [span(`${cause}, since ${timeOfDay(since)} (${age(now - since)})`, 'bad'), error];
}
