import type { GatewayEntry } from '../../telemetry/admin-protocol.js';
import { homePath, span as spanOf } from '../format.js';
import { bodyRows } from '../layout.js';
import { type Line, span } from '../line.js';
import type { State } from '../state.js';
import { type Column, headerLine, place, rowLine } from '../table.js';
import { offsetFor } from '../window.js';

function columnsFor(state: State): readonly Column<GatewayEntry>[] {
  return [
    { title: 'SPEC', min: 24, grow: 3, keep: 'end', cell: ({ spec }) => [homePath(spec, state.home), 'title'] },
    { title: 'LISTENS ON', min: 18, grow: 1, cell: ({ listeners }) => listeners.join(', ') || '-' },
    { title: 'PROCESS', min: 8, align: 'right', cell: ({ pid }) => String(pid) },
    { title: 'UP', min: 8, align: 'right', cell: ({ startedAt }) => [spanOf(state.now - startedAt), 'dim'] },
  ];
}

/** The gateways to choose from, filling the body. */
export function pickerLines(state: State): Line[] {
  const { picker, theme, size } = state;
  if (!picker) return [];
  const placed = place(columnsFor(state), size.columns);
  const rows = bodyRows(size);
  const most = rows - 4;
  const first = offsetFor(picker.entries.length, most, picker.index, 0);
  const lines: Line[] = [[], [span('  Several gateways are running. Choose one:', 'title')], []];
  lines.push(headerLine(placed, theme));
  for (const [index, entry] of picker.entries.slice(first, first + most).entries()) {
    lines.push(rowLine(placed, entry, first + index === picker.index, theme));
  }
  while (lines.length < rows) lines.push([]);
  return lines;
}
