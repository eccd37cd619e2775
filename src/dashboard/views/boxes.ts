/** Boxes that scroll: which one shows, and which of its lines. */

import { besideColumns, boxRows, isSideBySide, listRows, reloadBoxRows } from '../layout.js';
import { frame, type Line, printable, span } from '../line.js';
import { routeName } from '../rows.js';
import type { State } from '../state.js';
import { indexOf } from '../window.js';
import { consumerDetail, consumerTitle } from './consumers.js';
import { helpLines } from './help.js';
import { limitDetail, limitTitle } from './limits.js';
import { reloadDetail, reloadTitle } from './reloads.js';
import { requestDetail } from './requests.js';
import { targetDetail, targetTitle } from './targets.js';
import { routeDetail, trafficRows } from './traffic.js';

export interface Box {
  readonly title: Line;
  readonly lines: readonly Line[];
  /** Width and lines inside the frame. */
  readonly columns: number;
  readonly rows: number;
}

/** The box that scroll keys move; undefined where the view has none open. */
export function openBox(state: State): Box | undefined {
  const { size } = state;
  const columns = size.columns - 2;
  const rows = boxRows(size);
  if (state.overlay === 'help') return { title: [span('help', 'title')], lines: helpLines(), columns, rows };
  if (state.view === 'reloads') {
    return { title: reloadTitle(state), lines: reloadDetail(state, columns - 2), columns, rows: reloadBoxRows(size) };
  }
  if (state.overlay !== 'detail') return undefined;
  if (state.view === 'limits')
    return { title: limitTitle(state), lines: limitDetail(state, columns - 2), columns, rows };
  if (state.view === 'targets') {
    return { title: targetTitle(state), lines: targetDetail(state, columns - 2), columns, rows };
  }
  if (state.view === 'consumers')
    return { title: consumerTitle(state), lines: consumerDetail(state, columns - 2), columns, rows };
  const beside = isSideBySide(size);
  const own = beside ? besideColumns(size) - 2 : columns;
  if (state.view === 'requests') {
    return { title: [span('request', 'title')], lines: requestDetail(state, own - 2), columns: own, rows };
  }
  const list = trafficRows(state);
  const name = list[indexOf(list, state.cursors.traffic)]?.route.name ?? null;
  const title = [span(printable(routeName(name), state.theme), 'title')];
  // Beside the table: its header and its footer are as high as the frame.
  return { title, lines: routeDetail(state, own - 2), columns: own, rows: beside ? listRows('traffic', size) : rows };
}

export function mostScroll(box: Box): number {
  return Math.max(0, box.lines.length - box.rows);
}

/** The box in its frame, scrolled. */
export function boxLines(box: Box, state: State): Line[] {
  const first = Math.min(state.scroll, mostScroll(box));
  const shown = box.lines.slice(first, first + box.rows).map((line): Line => [span(' '), ...line]);
  while (shown.length < box.rows) shown.push([]);
  const last = Math.min(box.lines.length, first + box.rows);
  const tail = mostScroll(box) > 0 ? [span(`lines ${first + 1}-${last} of ${box.lines.length}`, 'dim')] : [];
  return frame([{ title: box.title, tail, lines: shown }], box.columns + 2, state.theme);
}
