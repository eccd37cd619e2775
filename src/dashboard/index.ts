/** `gw dash`: what to show, and how. Ink and React are loaded only when there is a screen to draw. */
import { AdminClient, AdminError } from './client.js';
import { addressOf, DashError, findSource, type Source } from './source.js';
import { themeFor } from './theme.js';

export { DashError };

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

/** Runs the command; resolves to the exit code. Throws DashError. */
export async function dash(options: DashOptions): Promise<number> {
  if (options.json && !options.once) throw new DashError('usage', '--json prints one snapshot: use --once --json');
  const { stdin, stdout } = options;
  if (options.once) return printOnce(options, await findSource('dash', options));
  if (!stdin.isTTY || !isTerminal(stdout)) {
    throw new DashError(
      'usage',
      'the dashboard needs a terminal for input and output.\nFor pipes and scripts: gw dash --once, or gw dash --once --json',
    );
  }
  const source = await findSource('dash', options);
  // React's development build measures everything and keeps the measurements.
  process.env['NODE_ENV'] ??= 'production';
  const { runDashboard } = await import('./run.js');
  const theme = themeFor(options.env, { ascii: options.ascii === true });
  return runDashboard({ source, theme, env: options.env, cwd: options.cwd, stdin, stdout });
}

function isTerminal(stream: NodeJS.WritableStream): stream is NodeJS.WriteStream {
  return 'isTTY' in stream && stream.isTTY === true;
}

async function printOnce(options: DashOptions, source: Source): Promise<number> {
  const home = options.env['HOME'];
  const address = addressOf(source, home);
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
