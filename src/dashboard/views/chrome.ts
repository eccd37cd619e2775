/** The lines around every view: status bar, tabs, keys. */
import type { Connection } from '../feed.js';
import { age, homePath, timeOfDay } from '../format.js';
import { VIEWS, type ViewName } from '../layout.js';
import { type Line, lineWidth, printable, type Span, span, spread } from '../line.js';
import type { State } from '../state.js';
import { truncate } from '../text.js';

export const TITLES: Readonly<Record<ViewName, string>> = {
  traffic: 'Traffic',
  limits: 'Limits',
  targets: 'Targets',
  requests: 'Requests',
  reloads: 'Reloads',
  consumers: 'Consumers',
};

/** Whether the data is current, and whether more comes. */
function connectionSpan(connection: Connection, state: State): Span {
  const { glyphs, stale } = state.theme;
  switch (connection.status) {
    case 'connecting':
      return span(`${glyphs.busy} connecting`, 'warn');
    case 'live':
      return stale === undefined ? span(`${glyphs.good} live`, 'good') : span(`${glyphs.warn} ${stale}`, 'alert');
    case 'silent':
      return span(`${glyphs.warn} ${stale ?? 'no data'}`, 'alert');
    case 'lost': {
      const wait = Math.max(0, connection.retryAt - state.now);
      const retry = `reconnecting${wait > 500 ? ` in ${Math.round(wait / 1000)}s` : ''}`;
      return span(`${glyphs.bad} ${stale === undefined ? '' : `${stale}, `}${retry}`, 'alert');
    }
  }
}

function gatewaySpans(state: State): Span[] {
  const { snapshot, theme } = state;
  if (!snapshot) return [];
  const { glyphs } = theme;
  const { gateway, generation } = snapshot;
  const look = gateway.state === 'ready' ? (['good', glyphs.good] as const) : (['warn', glyphs.busy] as const);
  const parts = [
    theme.stale === undefined ? span(`${look[1]} ${gateway.state}`, look[0]) : span(`was ${gateway.state}`, 'dim'),
    span('  '),
    span(`gen ${generation.id}`, 'title'),
    span(`, ${age(state.now - generation.loadedAt)} old  `, 'dim'),
  ];
  const [last] = snapshot.reloads;
  // The tab has its mark too: on a narrow screen, or beside a longer text, that is enough.
  if (last?.outcome === 'rejected' && state.size.columns >= (theme.stale === undefined ? 72 : 100))
    parts.push(span(`${glyphs.bad} spec rejected  `, 'bad'));
  return parts;
}

/** Which gateway, its state and generation, and whether the data is current. */
export function statusBar(state: State): Line {
  const { glyphs } = state.theme;
  const paused = state.paused ? [span(`${glyphs.paused} PAUSED  `, 'alert')] : [];
  if (state.picker) return spread([span(' gw ', 'title')], [], state.size.columns, state.theme);
  const right = [...gatewaySpans(state), ...paused, connectionSpan(state.connection, state), span(' ')];
  const spec = state.snapshot?.gateway.spec;
  const room = state.size.columns - lineWidth(right) - 6;
  const shown = spec === undefined ? '' : printable(homePath(spec, state.home), state.theme);
  const left = [span(' gw ', 'title'), span(' '), span(truncate(shown, room, glyphs.ellipsis, 'end'), 'accent')];
  return spread(left, right, state.size.columns, state.theme);
}

/** The mark of a tab whose view shows something that is wrong. */
function badge(view: ViewName, state: State): Span | undefined {
  const { snapshot, theme } = state;
  if (view === 'targets') {
    const targets = snapshot?.targets.filter(
      ({ health, failingSince }) => health !== 'healthy' || failingSince !== null,
    );
    const failing = (targets?.length ?? 0) + (snapshot?.duties.filter((duty) => duty.failing).length ?? 0);
    return failing > 0 ? span(`${theme.glyphs.bad}${failing}`, 'bad') : undefined;
  }
  if (view === 'limits') {
    const limits = [...(snapshot?.limits ?? []), ...(snapshot?.concurrency ?? [])];
    const refusing = limits.some((limit) => limit.refusedPerSecond > 0);
    return refusing ? span(theme.glyphs.warn, 'warn') : undefined;
  }
  if (view === 'reloads' && snapshot?.reloads[0]?.outcome === 'rejected') return span(theme.glyphs.bad, 'bad');
  return undefined;
}

export function tabs(state: State): Line {
  if (state.picker) return [];
  const left: Span[] = [];
  const { columns } = state.size;
  const narrow = columns < 76;
  const gap = columns < 96 && !narrow ? '' : ' ';
  for (const [index, view] of VIEWS.entries()) {
    const own = view === state.view;
    left.push({
      text: tabText(index + 1, TITLES[view], own, narrow),
      tone: own ? 'title' : 'plain',
      inverse: own,
    });
    const mark = badge(view, state);
    if (mark) left.push(mark);
    left.push(span(gap));
  }
  const clock = columns < 96 ? [] : [span(`${timeOfDay(state.now)} `, 'dim')];
  return spread(left, clock, state.size.columns, state.theme);
}

/** Without spaces around it where there is little room. */
function tabText(number: number, title: string, own: boolean, narrow: boolean): string {
  if (narrow) return own ? `[${title}]` : `${number}${title}`;
  return own ? `[${number} ${title}]` : ` ${number} ${title} `;
}

type Hint = readonly [key: string, what: string];

const LIST_HINTS: Readonly<Record<ViewName, readonly Hint[]>> = {
  traffic: [
    ['/', 'filter'],
    ['s', 'sort'],
    ['S', 'reverse'],
    ['enter', 'details'],
  ],
  limits: [
    ['/', 'filter'],
    ['s', 'sort'],
    ['S', 'reverse'],
    ['enter', 'details'],
  ],
  targets: [
    ['/', 'filter'],
    ['enter', 'details'],
  ],
  requests: [
    ['/', 'filter'],
    ['f', 'status'],
    ['enter', 'details'],
    ['g', 'newest'],
  ],
  reloads: [
    ['/', 'filter'],
    ['J/K', 'scroll'],
  ],
  consumers: [
    ['/', 'filter'],
    ['enter', 'details'],
  ],
};

function hintsOf(state: State): readonly Hint[] {
  if (state.picker) {
    return [
      ['up/down', 'choose'],
      ['enter', 'open'],
    ];
  }
  if (state.overlay === 'help')
    return [
      ['esc', 'close'],
      ['up/down', 'scroll'],
    ];
  if (state.overlay === 'detail') {
    const steps: Hint[] = [
      ['left/right', 'previous, next'],
      ['J/K', 'scroll'],
    ];
    return [['esc', 'back'], ...steps, ['p', state.paused ? 'continue' : 'pause']];
  }
  return [...LIST_HINTS[state.view], ['p', state.paused ? 'continue' : 'pause'], ['r', 'reload']];
}

/** The last line: the filter being typed, a notice, or what the keys do. */
export function footer(state: State): Line {
  const { columns } = state.size;
  const { theme } = state;
  if (state.editing) {
    const typed = truncate(printable(state.filters[state.view], theme), columns - 32, theme.glyphs.ellipsis, 'end');
    const right = [span('enter', 'key'), span(' keep  '), span('esc', 'key'), span(' clear ')];
    return spread([span(' / ', 'key'), span(typed), span(theme.glyphs.cursor, 'accent')], right, columns, theme);
  }
  if (state.notice) {
    const { glyphs } = theme;
    const mark = { info: glyphs.dot, good: glyphs.good, bad: glyphs.bad }[state.notice.kind];
    const tone = { info: 'accent', good: 'good', bad: 'bad' }[state.notice.kind] as 'accent' | 'good' | 'bad';
    const text = truncate(printable(state.notice.text, theme), columns - 4, glyphs.ellipsis);
    return spread([span(` ${mark} ${text}`, tone)], [], columns, theme);
  }
  if (state.reloading) return spread([span(` ${theme.glyphs.busy} reloading the spec`, 'accent')], [], columns, theme);
  const help = state.picker ? [] : [span('?', 'key'), span(' help  ')];
  const right = [...help, span('q', 'key'), span(' quit ')];
  const left: Span[] = [span(' ')];
  for (const [key, what] of hintsOf(state)) {
    const hint = [span(key, 'key'), span(` ${what}  `)];
    if (lineWidth([...left, ...hint, ...right]) > columns) break;
    left.push(...hint);
  }
  return spread(left, right, columns, theme);
}

/** `filter: orders  sorted by REQ/S`, for under a list. */
export function listFooter(state: State, range: string, more: Line = [], columns = state.size.columns): Line {
  const filter = state.filters[state.view];
  const { theme } = state;
  const left: Span[] = [span('  ')];
  if (theme.stale !== undefined) left.push(span(`${theme.stale}  `, 'alert'));
  left.push(span(range, 'dim'));
  if (filter !== '') {
    const shown = truncate(printable(filter, theme), 30, theme.glyphs.ellipsis);
    left.push(span('  filter: ', 'dim'), span(shown, 'accent'), span(state.editing ? '' : ' (esc clears)', 'dim'));
  }
  return spread(left, [...more, span(' ')], columns, theme);
}
