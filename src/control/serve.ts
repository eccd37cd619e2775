/** What `gw serve` does: runs a gateway until a signal ends it. */
import type { Program } from '../bundle/types.js';
import { gwVersion } from '../version.js';
import { Gateway, type GatewayOptions, StartError } from './gateway.js';
import { messageOf } from './loader.js';
import { createLog, type Log, type LogFormat, type LogLevel, type LogSink } from './log.js';

export interface ServeOptions {
  /** Absolute path of the spec or bundle. */
  readonly path: string;
  /** As people should see it. */
  readonly shownPath?: string;
  /** The file is a bundle; otherwise a spec. */
  readonly isBundle: boolean;
  readonly overlays?: readonly string[];
  /** PEM of the key that must have signed the bundle. */
  readonly publicKey?: string;
  readonly watch: boolean;
  readonly log: LogFormat;
  readonly logLevel?: LogLevel;
  /** Instead of the spec's access log. */
  readonly accessLog?: GatewayOptions['accessLog'];
  /** Colour for pretty log lines. */
  readonly color: boolean;
  /** Where the log goes; diagnostics of a spec that cannot start go to `stderr`. */
  readonly stdout: LogSink;
  readonly stderr: LogSink;
  readonly env?: { readonly [name: string]: string | undefined };
}

/** Exit codes of `gw serve`. */
const EXIT = { ok: 0, failed: 1, bug: 70 } as const;

/**
 * Serves until SIGTERM or SIGINT, then drains; a second one ends at once. SIGHUP reloads. Resolves with the exit code:
 * 0 after an orderly end, 1 when the gateway could not start, 70 after a bug in gw.
 */
export async function runServe(options: ServeOptions): Promise<number> {
  const log = createLog({
    format: options.log,
    color: options.color,
    sink: options.stdout,
    ...(options.logLevel === undefined ? {} : { level: options.logLevel }),
  });
  // Whoever read the log may go; whoever asks the gateway is still there.
  options.stdout.on?.('error', () => {});
  const signals = new Signals(log);
  try {
    const gateway = await Gateway.start(gatewayOptions(options, log, signals.abort));
    announce(gateway, options, log);
    return await serve(gateway, signals, log);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    if (signals.abort.aborted) return EXIT.ok;
    options.stderr.write(error.diagnostics === '' ? `${error.message}\n` : error.diagnostics);
    return EXIT.failed;
  } finally {
    signals.close();
  }
}

function gatewayOptions(options: ServeOptions, log: Log, signal: AbortSignal): GatewayOptions {
  const { accessLog, env, publicKey, watch } = options;
  const source: GatewayOptions = options.isBundle
    ? { bundle: options.path, ...(publicKey === undefined ? {} : { publicKey }) }
    : { spec: options.path, overlays: options.overlays ?? [] };
  return {
    ...source,
    watch,
    log,
    signal,
    ...(accessLog === undefined ? {} : { accessLog }),
    ...(env === undefined ? {} : { env }),
  };
}

function announce(gateway: Gateway, options: ServeOptions, log: Log): void {
  const { program } = gateway;
  if (!program) return;
  const where = gateway.addresses.map(({ name, address }) => `${schemeOf(program, name)}://${address} (${name})`);
  const counts = `${plural(program.routes.length, 'route')}, ${plural(program.services.length, 'service')}`;
  const what = options.shownPath ?? options.path;
  log.info(`gw ${gwVersion()} serving ${what}: ${where.join(', ')}, ${counts}`);
  if (gateway.adminAddress) log.info(`admin API on http://${gateway.adminAddress}`);
}

function schemeOf(program: Program, listener: string): string {
  return program.listeners.find(({ name }) => name === listener)?.tls ? 'https' : 'http';
}

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

async function serve(gateway: Gateway, signals: Signals, log: Log): Promise<number> {
  const reload = (): void => {
    log.info('SIGHUP: reloading');
    void gateway.reload();
  };
  signals.onHangUp = reload;
  const failure = await Promise.race([signals.first, signals.failure]);
  if (failure) {
    log.error('a bug in gw ends it', { error: failure.stack ?? failure.message });
    await gateway.close();
    return EXIT.bug;
  }
  log.info('draining; a second signal ends at once');
  const since = performance.now();
  const ended = gateway.drain().then((report) => {
    log.info(
      `stopped after ${Math.round(performance.now() - since)} ms${report.cut > 0 ? `, ${report.cut} exchanges cut` : ''}`,
    );
  });
  await Promise.race([ended, signals.second.then(() => gateway.close())]).catch((error: unknown) => {
    log.error(`ending failed: ${messageOf(error)}`);
  });
  return EXIT.ok;
}

/** The process's signals for as long as a gateway is served, and errors that nobody caught. */
class Signals {
  /** Resolves (with nothing) on the first SIGTERM or SIGINT. */
  readonly first: Promise<undefined>;
  readonly second: Promise<undefined>;
  /** Resolves with an error that nobody caught: the state of the process cannot be trusted any more. */
  readonly failure: Promise<Error>;
  readonly #log: Log;
  readonly #starting = new AbortController();
  #resolve: { first(): void; second(): void; failure(error: Error): void } | undefined;
  #count = 0;
  onHangUp: () => void = () => {};

  constructor(log: Log) {
    this.#log = log;
    const resolve = { first: (): void => {}, second: (): void => {}, failure: (_error: Error): void => {} };
    this.first = new Promise((done) => {
      resolve.first = () => done(undefined);
    });
    this.second = new Promise((done) => {
      resolve.second = () => done(undefined);
    });
    this.failure = new Promise((done) => {
      resolve.failure = done;
    });
    this.#resolve = resolve;
    process.on('SIGTERM', this.#end);
    process.on('SIGINT', this.#end);
    process.on('SIGHUP', this.#hangUp);
    process.on('uncaughtException', this.#caught);
    process.on('unhandledRejection', this.#rejected);
  }

  /** Aborted by the first signal: what is starting need not go on. */
  get abort(): AbortSignal {
    return this.#starting.signal;
  }

  close(): void {
    this.#resolve = undefined;
    process.off('SIGTERM', this.#end);
    process.off('SIGINT', this.#end);
    process.off('SIGHUP', this.#hangUp);
    process.off('uncaughtException', this.#caught);
    process.off('unhandledRejection', this.#rejected);
  }

  readonly #end = (): void => {
    this.#count++;
    this.#starting.abort();
    if (this.#count === 1) this.#resolve?.first();
    else this.#resolve?.second();
  };
  readonly #hangUp = (): void => this.onHangUp();
  readonly #caught = (error: Error): void => this.#resolve?.failure(error);
  /** A promise that nobody awaited: worth a report, but no reason to drop anybody's traffic. */
  readonly #rejected = (reason: unknown): void => {
    const error = reason instanceof Error ? (reason.stack ?? reason.message) : String(reason);
    this.#log.error('a rejection was not handled (a bug in gw)', { error });
  };
}
