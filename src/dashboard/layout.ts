/** How the screen is divided. All heights add up to the terminal's rows. */

export const VIEWS = ['traffic', 'limits', 'targets', 'requests', 'reloads', 'consumers'] as const;
export type ViewName = (typeof VIEWS)[number];

export const LEAST = { columns: 60, rows: 16 } as const;

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** Status bar and tabs above, keys below. */
export const HEADER_ROWS = 2;
export const FOOTER_ROWS = 1;

export function bodyRows(size: Size): number {
  return size.rows - HEADER_ROWS - FOOTER_ROWS;
}

export interface TrafficLayout {
  readonly chartRows: number;
  readonly errorRows: number;
  readonly listRows: number;
  readonly chartColumns: number;
  readonly latencyColumns: number;
  /** 0: no room. */
  readonly listenerColumns: number;
}

/** Seconds that the charts show; a column each where there is room. */
const SECONDS = 120;

export function trafficLayout(size: Size): TrafficLayout {
  const body = bodyRows(size);
  const chartRows = body >= 40 ? 7 : body >= 30 ? 5 : body >= 19 ? 3 : 1;
  const errorRows = body >= 40 ? 3 : body >= 30 ? 2 : 1;
  const beside = Math.max(18, Math.min(26, size.columns - SECONDS - 2));
  const wide = size.columns - (SECONDS + 2) - 26;
  const listenerColumns = wide >= 30 ? wide : 0;
  return {
    chartRows,
    errorRows,
    listRows: body - (chartRows + errorRows + 3) - 2,
    chartColumns: size.columns - beside - listenerColumns,
    latencyColumns: beside,
    listenerColumns,
  };
}

/** Details of a route or a request show beside the list, where there is room for both. */
export function isSideBySide(size: Size): boolean {
  return size.columns >= 150;
}

/** Columns of a box beside a list, frame included. */
export function besideColumns(size: Size): number {
  return Math.floor(size.columns * 0.45);
}

export function reloadsListRows(size: Size): number {
  return Math.max(3, Math.min(14, Math.floor(bodyRows(size) * 0.35)));
}

/** Lines of the details under the list of limits or targets, frame included; 0 where there is no room. */
export function paneHeight(size: Size): number {
  return bodyRows(size) < 18 ? 0 : 8;
}

/** Rows of the list of a view. */
export function listRows(view: ViewName, size: Size): number {
  switch (view) {
    case 'traffic':
      return trafficLayout(size).listRows;
    case 'limits':
    case 'targets':
    case 'consumers':
      return bodyRows(size) - 2 - paneHeight(size);
    case 'reloads':
      return reloadsListRows(size);
    default:
      return bodyRows(size) - 2;
  }
}

/** Lines that a full-body box shows inside its frame. */
export function boxRows(size: Size): number {
  return bodyRows(size) - 2;
}

/** Lines of the box under the list of reloads: the list has a header above it. */
export function reloadBoxRows(size: Size): number {
  return bodyRows(size) - 1 - reloadsListRows(size) - 2;
}
