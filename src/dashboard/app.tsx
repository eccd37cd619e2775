/** The screen: the state, laid out. */
import { Box } from 'ink';
import type { ReactElement } from 'react';
import { besideColumns, bodyRows, isSideBySide, LEAST, trafficLayout } from './layout.js';
import { fitBlock, type Line, span } from './line.js';
import { type State, withStaleness } from './state.js';
import { Lines } from './ui.js';
import { boxLines, openBox } from './views/boxes.js';
import { footer, statusBar, tabs } from './views/chrome.js';
import { consumersTable } from './views/consumers.js';
import { centred } from './views/empty.js';
import { limitsTable } from './views/limits.js';
import { pickerLines } from './views/picker.js';
import { reloadsTable } from './views/reloads.js';
import { requestsTable } from './views/requests.js';
import { targetsTable } from './views/targets.js';
import { chartPanel, latencyPanel, listenerPanel, routeTable } from './views/traffic.js';

interface ViewProps {
  readonly state: State;
}

function Traffic({ state }: ViewProps): ReactElement {
  const { theme, size } = state;
  const { chartColumns, latencyColumns, listenerColumns } = trafficLayout(size);
  const box = openBox(state);
  const beside = box ? besideColumns(size) : 0;
  return (
    <Box flexDirection="column">
      <Box>
        <Lines lines={chartPanel(state)} columns={chartColumns} theme={theme} />
        <Lines lines={latencyPanel(state)} columns={latencyColumns} theme={theme} />
        {listenerColumns > 0 && <Lines lines={listenerPanel(state)} columns={listenerColumns} theme={theme} />}
      </Box>
      <Box>
        <Lines lines={routeTable(state, size.columns - beside)} columns={size.columns - beside} theme={theme} />
        {box && <Lines lines={boxLines(box, state)} columns={beside} theme={theme} />}
      </Box>
    </Box>
  );
}

function Requests({ state }: ViewProps): ReactElement {
  const { theme, size } = state;
  const box = openBox(state);
  const beside = box ? besideColumns(size) : 0;
  return (
    <Box>
      <Lines lines={requestsTable(state, size.columns - beside)} columns={size.columns - beside} theme={theme} />
      {box && <Lines lines={boxLines(box, state)} columns={beside} theme={theme} />}
    </Box>
  );
}

function Reloads({ state }: ViewProps): ReactElement {
  const { theme, size } = state;
  const box = openBox(state);
  return (
    <Box flexDirection="column">
      <Lines lines={reloadsTable(state)} columns={size.columns} theme={theme} />
      {box && <Lines lines={boxLines(box, state)} columns={size.columns} theme={theme} />}
    </Box>
  );
}

/** In place of the views until the first snapshot. */
function waitingLines(state: State): Line[] {
  const { connection, size, theme } = state;
  const lines: Line[] =
    connection.status === 'lost'
      ? [
          [span('No connection to the gateway', 'title')],
          [],
          [span(connection.reason, 'bad')],
          [span(`tried ${connection.attempt} times, trying again; q quits`, 'dim')],
        ]
      : [[span('Waiting for data from the gateway', 'dim')]];
  return centred(lines, size.columns, bodyRows(size), theme);
}

function Body({ state }: ViewProps): ReactElement {
  const { theme, size } = state;
  if (state.picker) return <Lines lines={pickerLines(state)} columns={size.columns} theme={theme} />;
  const box = openBox(state);
  const isBeside = isSideBySide(size) && (state.view === 'traffic' || state.view === 'requests');
  if (box && (state.overlay === 'help' || (state.overlay === 'detail' && !isBeside))) {
    return <Lines lines={boxLines(box, state)} columns={size.columns} theme={theme} />;
  }
  if (!state.snapshot) return <Lines lines={waitingLines(state)} columns={size.columns} theme={theme} />;
  switch (state.view) {
    case 'traffic':
      return <Traffic state={state} />;
    case 'limits':
      return <Lines lines={limitsTable(state)} columns={size.columns} theme={theme} />;
    case 'targets':
      return <Lines lines={targetsTable(state)} columns={size.columns} theme={theme} />;
    case 'requests':
      return <Requests state={state} />;
    case 'reloads':
      return <Reloads state={state} />;
    case 'consumers':
      return <Lines lines={consumersTable(state)} columns={size.columns} theme={theme} />;
  }
}

/**
 * The whole screen: exactly as many lines as the terminal has, none wider than it is. Every block is made to measure, so
 * that Ink need not clip, which costs it a parse of every line.
 */
export function App({ state: given }: ViewProps): ReactElement {
  const state = withStaleness(given);
  const { theme, size } = state;
  if (size.columns < LEAST.columns || size.rows < LEAST.rows) {
    const text = `${size.columns}x${size.rows} is too small: ${LEAST.columns}x${LEAST.rows} at least`;
    const lines = fitBlock([[span(text, 'warn')], [span('q quits', 'dim')]], size.columns, size.rows, theme);
    return <Lines lines={lines} columns={size.columns} theme={theme} />;
  }
  return (
    <Box flexDirection="column" width={size.columns} height={size.rows}>
      <Lines lines={[statusBar(state), tabs(state)]} columns={size.columns} theme={theme} />
      <Box flexDirection="column" height={bodyRows(size)}>
        <Body state={state} />
      </Box>
      <Lines lines={[footer(state)]} columns={size.columns} theme={theme} />
    </Box>
  );
}
