/** The dashboard on a terminal: connects the feed, the state, Ink and the screen, and disconnects them at the end. */
import { render, useInput } from 'ink';
import { type ReactElement, type RefObject, useEffect, useReducer, useRef } from 'react';
import { reasonOf } from '../reason.js';
import type { Address } from './address.js';
import { App } from './app.js';
import { rediscover } from './discover.js';
import { EventFeed } from './feed.js';
import { keyNames } from './input.js';
import { type Effect, press } from './keys.js';
import { Screen } from './screen.js';
import type { Source } from './source.js';
import { type Action, initialState, reduce, STALE_AFTER_MS, type State } from './state.js';
import type { Theme } from './theme.js';

export interface DashboardOptions {
  readonly source: Source;
  readonly theme: Theme;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
}

const TICK_MS = 1_000;

interface DashboardProps {
  readonly options: DashboardOptions;
  readonly screen: Screen;
  readonly quit: () => void;
  readonly suspend: () => void;
}

/** The address to try next; a gateway that restarted has another process and so another socket. */
async function locate(
  source: Exclude<Source, { kind: 'choose' }>,
  options: DashboardOptions,
): Promise<Address | undefined> {
  if (source.kind === 'address') return source.address;
  const entry = await rediscover(source.entry, { env: options.env, cwd: options.cwd });
  return entry && { kind: 'socket', path: entry.socket };
}

function openFeed(
  source: Exclude<Source, { kind: 'choose' }>,
  options: DashboardOptions,
  dispatch: (action: Action) => void,
): EventFeed {
  const feed = new EventFeed({
    locate: () => locate(source, options),
    connection: (connection) => dispatch({ type: 'connection', connection, now: Date.now() }),
    batch: (batch) => dispatch({ type: 'batch', batch, now: Date.now() }),
  });
  feed.start();
  return feed;
}

async function reload(feed: EventFeed | undefined, dispatch: (action: Action) => void): Promise<void> {
  if (!feed) return;
  dispatch({ type: 'reloading' });
  try {
    dispatch({ type: 'reloaded', reload: await feed.reload(), now: Date.now() });
  } catch (error) {
    dispatch({ type: 'notice', kind: 'bad', text: reasonOf(error), now: Date.now() });
  }
}

/** The feed of the gateway that is shown; none until one of several is chosen. */
function useFeed(
  options: DashboardOptions,
  state: State,
  dispatch: (action: Action) => void,
): RefObject<EventFeed | undefined> {
  const feed = useRef<EventFeed | undefined>(undefined);
  useEffect(() => {
    const { source } = options;
    if (source.kind !== 'choose') feed.current = openFeed(source, options, dispatch);
    return () => feed.current?.close();
  }, [options, dispatch]);
  // Records with decisions cost the gateway work: they are asked for only while they are shown.
  const watching = state.view === 'requests' ? 'decisions' : 'off';
  // biome-ignore lint/correctness/useExhaustiveDependencies: a feed opened by a choice starts with what is watched then
  useEffect(() => feed.current?.watch(watching), [watching, state.picker]);
  return feed;
}

function Dashboard({ options, screen, quit, suspend }: DashboardProps): ReactElement {
  const [state, dispatch] = useReducer(reduce, options, firstState);
  const feed = useFeed(options, state, dispatch);
  useTimeAndSize(options.stdout, screen, dispatch);
  useStaleness(state.newest?.receivedAt, dispatch);
  // Keys that arrive together are applied one after another.
  const latest = useRef(state);
  latest.current = state;

  const act = (effect: Effect): void => {
    switch (effect.type) {
      case 'quit':
        quit();
        break;
      case 'suspend':
        suspend();
        break;
      case 'repaint':
        screen.repaint();
        break;
      case 'reload':
        void reload(feed.current, dispatch);
        break;
      case 'choose':
        dispatch({ type: 'picked' });
        feed.current = openFeed({ kind: 'entry', entry: effect.entry }, options, dispatch);
    }
  };
  useInput((input, key) => {
    for (const name of keyNames(input, key)) {
      const { change, effect } = press(latest.current, name);
      if (change) {
        const action: Action = { type: 'change', change };
        latest.current = reduce(latest.current, action);
        dispatch(action);
      }
      if (effect) act(effect);
    }
  });
  return <App state={state} />;
}

function firstState({ source, stdout, theme, env }: DashboardOptions): State {
  const state = initialState({ theme, size: sizeOf(stdout), now: Date.now(), home: env['HOME'] });
  return source.kind === 'choose' ? reduce(state, { type: 'pick', entries: source.entries }) : state;
}

const sizeOf = ({ columns, rows }: NodeJS.WriteStream): State['size'] => ({ columns, rows });

/** Keeps the state's clock and its terminal size. */
function useTimeAndSize(stdout: NodeJS.WriteStream, screen: Screen, dispatch: (action: Action) => void): void {
  useEffect(() => {
    const tick = setInterval(() => dispatch({ type: 'tick', now: Date.now() }), TICK_MS);
    const resized = (): void => {
      dispatch({ type: 'resize', size: sizeOf(stdout) });
      screen.repaint();
    };
    stdout.on('resize', resized);
    return () => {
      clearInterval(tick);
      stdout.off('resize', resized);
    };
  }, [stdout, screen, dispatch]);
}

/** A clock step at the moment at which the data becomes stale: the regular ones are a second apart. */
function useStaleness(receivedAt: number | undefined, dispatch: (action: Action) => void): void {
  useEffect(() => {
    if (receivedAt === undefined) return undefined;
    const wait = receivedAt + STALE_AFTER_MS + 1 - Date.now();
    const timer = setTimeout(() => dispatch({ type: 'tick', now: Date.now() }), Math.max(0, wait));
    return () => clearTimeout(timer);
  }, [receivedAt, dispatch]);
}

/** Shows the dashboard until it is quit; resolves to the exit code. The terminal is as before however it ends. */
export async function runDashboard(options: DashboardOptions): Promise<number> {
  const { stdin, stdout } = options;
  const screen = new Screen(stdout);
  let code = 0;
  let ended = false;
  const suspend = (): void => {
    screen.leave();
    stdin.setRawMode(false);
    process.kill(process.pid, 'SIGTSTP');
    // The process is stopped before this is due, until a shell continues it. A process group without a shell is not
    // stopped, and this runs at once.
    setTimeout(() => {
      if (ended) return;
      stdin.setRawMode(true);
      screen.enter();
    }, 50);
  };
  const tree = <Dashboard options={options} screen={screen} quit={() => instance.unmount()} suspend={suspend} />;
  screen.enter();
  const release = onEndOfProcess({
    leave: () => screen.leave(),
    end: (exitCode) => {
      code = exitCode;
      instance.unmount();
    },
  });
  const instance = render(tree, {
    stdout: screen.frames,
    stdin,
    // Whole frames, as they are: the screen does the rest.
    debug: true,
    exitOnCtrlC: false,
    patchConsole: false,
  });
  try {
    await instance.waitUntilExit();
  } finally {
    ended = true;
    screen.leave();
    release();
    // Ink's reader leaves standard input flowing, which would keep the process.
    stdin.pause();
    stdin.unref();
  }
  return code;
}

/** Exit codes of a process that ends by a signal: 128 and its number. */
const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGQUIT: 131, SIGTERM: 143 } as const;
type EndingSignal = keyof typeof SIGNALS;

/** Calls `leave` when the process ends by itself or by a bug, `end` when a signal asks it to. Returns the undo function. */
function onEndOfProcess({ leave, end }: { leave: () => void; end: (exitCode: number) => void }): () => void {
  const signals = Object.keys(SIGNALS) as EndingSignal[];
  const onSignal = (signal: EndingSignal): void => end(SIGNALS[signal]);
  process.on('exit', leave);
  process.on('uncaughtExceptionMonitor', leave);
  // Before the error is printed: on the alternate screen it would be lost.
  process.prependListener('unhandledRejection', leave);
  for (const signal of signals) process.on(signal, onSignal);
  return () => {
    process.off('exit', leave);
    process.off('uncaughtExceptionMonitor', leave);
    process.off('unhandledRejection', leave);
    for (const signal of signals) process.off(signal, onSignal);
  };
}
