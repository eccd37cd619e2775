/** Duties of policies: rows of the Targets view, since they fetch from outside as well. */
import type { DutySnapshot } from '../../telemetry/snapshot.js';
import { age, count, plural, span as spanOf, timeOfDay } from '../format.js';
import { inverse, type Line, printable, type Span, span, spread } from '../line.js';
import type { TargetRow } from '../rows.js';
import type { State } from '../state.js';
import { type Column, counted, type Placed } from '../table.js';
import type { Theme, Tone } from '../theme.js';
import type { PaneRow } from './pane.js';

export type OneDuty = TargetRow & { kind: 'duty' };

function health(duty: DutySnapshot, { glyphs }: Theme): readonly [string, Tone] {
  if (duty.failing) return [`${glyphs.bad} failing`, 'bad'];
  if (duty.lastSuccess === null) return ['  first run', 'warn'];
  return [`${glyphs.good} succeeds`, 'good'];
}

function failure({ failing, lastError, lastSuccess }: DutySnapshot, now: number): readonly [string, Tone] {
  if (lastError === null) return ['-', 'dim'];
  const since = lastSuccess === null ? 'never succeeded' : `last success ${age(now - lastSuccess)} ago`;
  if (failing) return [`${lastError.cause}, ${since}`, 'bad'];
  return [`${age(now - lastError.at)} ago: ${lastError.cause}`, 'dim'];
}

function nextRun({ active, nextRun: next, failing }: DutySnapshot, now: number): readonly [string, Tone] {
  if (active) return ['now', 'accent'];
  return next === null ? ['-', 'dim'] : [`in ${spanOf(Math.max(0, next - now))}`, failing ? 'warn' : 'plain'];
}

/** The columns of targets, with what a duty has for them. */
export function dutyColumns<Row>(placed: readonly Placed<Row>[], theme: Theme, now: number): Placed<OneDuty>[] {
  const cells: { readonly [title: string]: Column<OneDuty>['cell'] } = {
    TARGET: ({ duty }) => [`  ${duty.policy}`, 'title'],
    HEALTH: ({ duty }) => health(duty, theme),
    FAILURE: ({ duty }) => failure(duty, now),
    RETRY: ({ duty }) => nextRun(duty, now),
    PROCESS: ({ duty }) => [duty.use, 'dim'],
    REQUESTS: ({ duty }) => counted(duty.runs, 'plain'),
    FAILED: ({ duty }) => counted(duty.failures, 'bad'),
  };
  return placed.map(({ column, width }) => {
    const { title, min, align = 'left' } = column;
    return { column: { title, min, align, cell: cells[title] ?? (() => ['-', 'dim']) }, width };
  });
}

/** The line above the duties. */
export function dutiesLine(row: TargetRow & { kind: 'duties' }, selected: boolean, state: State): Line {
  const { theme } = state;
  const failing = row.duties.filter((duty) => duty.failing).length;
  const left: Span[] = [
    span(selected ? theme.glyphs.marker.padEnd(2) : '  ', 'accent'),
    span('duties', 'accent'),
    span(
      `  ${row.duties.length === 1 ? '1 duty' : `${row.duties.length} duties`}: runs, and time until the next`,
      'dim',
    ),
  ];
  if (failing > 0) left.push(span(`  ${theme.glyphs.bad} ${failing} of ${row.duties.length} failing`, 'bad'));
  const line = spread(left, [], state.size.columns, theme);
  return selected ? inverse(line) : line;
}

export const dutyTitle = (duty: DutySnapshot): string => `duty ${duty.policy}`;

/** All about a duty. */
export function dutyRows(duty: DutySnapshot, now: number, theme: Theme): PaneRow[] {
  const { lastError, lastSuccess, failing } = duty;
  const [text, tone] = health(duty, theme);
  const [next, nextTone] = nextRun(duty, now);
  const at = (time: number): string => `${timeOfDay(time)} (${age(now - time)} ago)`;
  return [
    { label: 'health', text: [span(text.trim(), tone), span(`  of kind ${printable(duty.use, theme)}`, 'dim')] },
    {
      label: 'last success',
      text: lastSuccess === null ? 'none yet' : at(lastSuccess),
      tone: lastSuccess === null ? 'warn' : 'plain',
    },
    { label: 'next run', text: next === '-' ? 'when a question or a reload causes it' : next, tone: nextTone },
    {
      label: 'last error',
      text: lastError === null ? 'none' : `${lastError.cause}, ${at(lastError.at)}`,
      tone: lastError === null ? 'dim' : failing ? 'bad' : 'warn',
    },
    ...(duty.expires === undefined
      ? []
      : [
          duty.expires === null
            ? ({ label: 'certificate', text: 'none yet: handshakes for the host are refused', tone: 'bad' } as const)
            : ({
                label: 'certificate',
                text: `until ${new Date(duty.expires).toISOString().slice(0, 10)}`,
                tone: duty.expires < now ? 'bad' : 'plain',
              } as const),
        ]),
    { label: 'runs', text: `${plural(duty.runs, 'run')}, ${count(duty.failures)} failed` },
  ];
}
