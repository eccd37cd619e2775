/** `gw dash`: what to show, and how. Ink and React are loaded only when there is a screen to draw. */
import type { GatewayEntry } from '../telemetry/admin-protocol.js';
import { type Address, parseAddress } from './address.js';
import { AdminClient, AdminError } from './client.js';
import { discover } from './discover.js';
import { homePath } from './format.js';
import type { Source } from './run.js';
import { clean } from './text.js';
import { themeFor } from './theme.js';

export interface DashOptions {
  /** Unix socket, or http://host:port. Undefined: find a gateway on this machine. */
  readonly address?: string | undefined;
  /** Print one snapshot and end. */
  readonly once?: boolean | undefined;
  readonly json?: boolean | undefined;
  readonly ascii?: boolean | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WritableStream;
}

/** Why nothing can be shown; `usage` when the command must be called in another way. */
export class DashError extends Error {
  constructor(
    readonly kind: 'usage' | 'failed',
    message: string,
  ) {
    super(message);
  }
}

/** Runs the command; resolves to the exit code. Throws DashError. */
export async function dash(options: DashOptions): Promise<number> {
  if (options.json && !options.once) throw new DashError('usage', '--json prints one snapshot: use --once --json');
  const { stdin, stdout } = options;
  if (options.once) return printOnce(options, await findSource(options));
  if (!stdin.isTTY || !isTerminal(stdout)) {
    throw new DashError(
      'usage',
      'the dashboard needs a terminal for input and output.\nFor pipes and scripts: gw dash --once, or gw dash --once --json',
    );
  }
  const source = await findSource(options);
  // React's development build measures everything and keeps the measurements.
  process.env['NODE_ENV'] ??= 'production';
  const { runDashboard } = await import('./run.js');
  const theme = themeFor(options.env, { ascii: options.ascii === true });
  return runDashboard({ source, theme, env: options.env, cwd: options.cwd, stdin, stdout });
}

function isTerminal(stream: NodeJS.WritableStream): stream is NodeJS.WriteStream {
  return 'isTTY' in stream && stream.isTTY === true;
}

async function findSource(options: DashOptions): Promise<Source> {
  if (options.address !== undefined) {
    const address = parseAddress(options.address, options.env, options.cwd);
    if ('error' in address) throw new DashError('usage', address.error);
    return { kind: 'address', address };
  }
  const found = await discover({ env: options.env, cwd: options.cwd });
  if (found.kind === 'one') return { kind: 'entry', entry: found.entry };
  if (found.kind === 'several') return { kind: 'choose', entries: found.entries };
  throw new DashError(
    'failed',
    `no gateway is running on this machine (looked in ${found.directory}).\nStart one with gw serve, or connect to another machine with gw dash --address http://host:port`,
  );
}

function entryLine(entry: GatewayEntry, home: string | undefined): string {
  return `  ${clean(homePath(entry.spec, home))}  process ${entry.pid}: --address ${clean(entry.socket)}`;
}

async function printOnce(options: DashOptions, source: Source): Promise<number> {
  const home = options.env['HOME'];
  if (source.kind === 'choose') {
    const list = source.entries.map((entry) => entryLine(entry, home)).join('\n');
    throw new DashError('usage', `several gateways are running; choose one:\n${list}`);
  }
  const address: Address = source.kind === 'address' ? source.address : { kind: 'socket', path: source.entry.socket };
  try {
    const askedAt = Date.now();
    const snapshot = await new AdminClient(address).snapshot();
    const { dated, snapshotJson, snapshotText } = await import('./once.js');
    const received = dated(snapshot, askedAt, Date.now());
    options.stdout.write(
      options.json
        ? `${snapshotJson(received)}\n`
        : snapshotText(received, home, isTerminal(options.stdout) ? options.stdout.columns : undefined),
    );
    return 0;
  } catch (error) {
    if (error instanceof AdminError) throw new DashError('failed', error.message);
    throw error;
  }
}
