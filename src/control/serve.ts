/** `gw serve`: runs a gateway until a signal stops it. */
import type { Program } from '../bundle/types.js';
import { counted } from '../plural.js';
import { reasonOf } from '../reason.js';
import { gwVersion } from '../version.js';
import { Gateway, type GatewayOptions, StartError } from './gateway.js';
import { createLog, type Log, type LogFormat, type LogLevel, type LogSink } from './log.js';
import { ProcessEnd } from './process-end.js';
import { END_SIGNALS, type EndSignal, Signals } from './signals.js';

export interface ServeOptions {
  /** Absolute path of the spec or bundle. */
  readonly path: string;
  /** The path for messages. */
  readonly shownPath?: string;
  /** The file is a bundle; otherwise a spec. */
  readonly isBundle: boolean;
  readonly overlays?: readonly string[];
  /** PEM of the public key that verifies the bundle's signature. */
  readonly publicKey?: string;
  readonly watch: boolean;
  /** Certificates by ACME come from the staging directory. */
  readonly development?: boolean;
  readonly log: LogFormat;
  readonly logLevel?: LogLevel;
  /** Instead of the spec's access log. */
  readonly accessLog?: GatewayOptions['accessLog'];
  /** Colour for pretty log lines. */
  readonly color: boolean;
  /** Receives the log; diagnostics of a failed start go to `stderr`. */
  readonly stdout: LogSink;
  readonly stderr: LogSink;
  readonly env?: { readonly [name: string]: string | undefined };
}

/** Exit codes of `gw serve`. After a second signal: the code that a shell reports for a process ended by that signal. */
const EXIT = { ok: 0, failed: 1, bug: 70, SIGINT: 130, SIGQUIT: 131, SIGTERM: 143 } as const;

/**
 * Milliseconds in which the process may exit by itself after the gateway has stopped. A stalled reader of standard output
 * can keep it alive.
 */
const EXIT_WITHIN = 2000;
/** Milliseconds from a second signal until the process is killed. */
const KILL_AFTER = 10_000;
/** The same from the first signal, in addition to the drain's own times. Includes five seconds for managed targets. */
const END_WITHIN = 15_000;

/**
 * Serves until SIGTERM, SIGQUIT or SIGINT, then drains; a second one stops at once. SIGHUP reloads and reopens the access
 * log, SIGUSR1 only reopens it, SIGUSR2 is ignored. Resolves with the exit code: 0 after an orderly stop, 1 if the gateway
 * could not start, 70 after a bug in gw, 130, 131 or 143 after a second signal. The process exits at most two seconds
 * later, by SIGKILL if one of its threads is blocked in a system call.
 */
export async function runServe(options: ServeOptions): Promise<number> {
  const log = createLog({
    format: options.log,
    color: options.color,
    sink: options.stdout,
    ...(options.logLevel === undefined ? {} : { level: options.logLevel }),
  });
  // The gateway keeps serving when the reader of the log closes the pipe.
  options.stdout.on?.('error', () => {});
  const signals = new Signals(log);
  const end = new ProcessEnd(log);
  let gateway: Gateway | undefined;
  signals.first.then(() => {
    const { drainDelay = 0, drainTimeout = 0 } = gateway?.program ?? {};
    end.within(drainDelay + drainTimeout + END_WITHIN);
  });
  signals.second.then(() => end.within(KILL_AFTER));
  try {
    gateway = await Gateway.start(gatewayOptions(options, log, signals));
    announce(gateway, options, log);
    return await serve(gateway, signals, log);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    if (signals.abort.aborted) {
      log.info('stopped by a signal during the start');
      return endCode(signals);
    }
    options.stderr.write(error.diagnostics === '' ? `${error.message}\n` : error.diagnostics);
    return EXIT.failed;
  } finally {
    end.soon(EXIT_WITHIN, END_SIGNALS);
    signals.close();
  }
}

/** The exit code of a gateway that was stopped by signals. */
const endCode = ({ forced }: Signals): number => (forced === undefined ? EXIT.ok : EXIT[forced]);

function gatewayOptions(options: ServeOptions, log: Log, signals: Signals): GatewayOptions {
  const { accessLog, env, publicKey, watch } = options;
  const source: GatewayOptions = options.isBundle
    ? { bundle: options.path, ...(publicKey === undefined ? {} : { publicKey }) }
    : { spec: options.path, overlays: options.overlays ?? [] };
  return {
    ...source,
    watch,
    development: options.development === true,
    log,
    signal: signals.abort,
    killSignal: signals.kill,
    ...(accessLog === undefined ? {} : { accessLog }),
    ...(env === undefined ? {} : { env }),
  };
}

function announce(gateway: Gateway, options: ServeOptions, log: Log): void {
  const { program } = gateway;
  if (!program) return;
  const where = gateway.addresses.map(({ name, address }) => `${schemeOf(program, name)}://${address} (${name})`);
  const counts = `${counted(program.routes.length, 'route')}, ${counted(program.services.length, 'service')}`;
  const what = options.shownPath ?? options.path;
  const workers = program.workers > 1 ? `, ${program.workers} workers` : '';
  log.info(`gw ${gwVersion()} serving ${what}: ${where.join(', ')}, ${counts}${workers}`);
  if (gateway.adminAddress) log.info(`admin API on http://${gateway.adminAddress}`);
}

function schemeOf(program: Program, listener: string): string {
  return program.listeners.find(({ name }) => name === listener)?.tls ? 'https' : 'http';
}

async function serve(gateway: Gateway, signals: Signals, log: Log): Promise<number> {
  signals.handle('SIGHUP', () => {
    gateway.reopenLogs();
    const stopping = gateway.state !== 'ready';
    log.info(stopping ? 'SIGHUP: no reload, the gateway is stopping' : 'SIGHUP: reloading');
    if (!stopping) void gateway.reload();
  });
  signals.handle('SIGUSR1', () => {
    log.info('SIGUSR1: reopening the access log');
    gateway.reopenLogs();
  });
  const bug = signals.failure.then((failure) => endBug(gateway, failure, log));
  const first = await Promise.race([signals.first, bug]);
  if (first === EXIT.bug) return first;
  const forced = signals.second.then((signal) => endForced(gateway, signal, log));
  const ended = await Promise.race([drain(gateway, first, log), forced, bug]);
  // The second signal may have come while only managed targets were left.
  return ended === EXIT.ok ? endCode(signals) : ended;
}

/** SIGTERM and SIGQUIT come from supervisors, so a load balancer gets time to notice. Ctrl-C drains without a delay. */
async function drain(gateway: Gateway, signal: EndSignal, log: Log): Promise<number> {
  const delay = signal !== 'SIGINT' ? (gateway.program?.drainDelay ?? 0) : 0;
  const later = delay > 0 ? `not ready, draining in ${delay} ms` : 'draining';
  log.info(`${signal}: ${later}; a second signal stops at once`);
  const since = performance.now();
  try {
    const { cut } = await gateway.drain(undefined, delay);
    const took = Math.round(performance.now() - since);
    log.info(`stopped after ${took} ms${cut > 0 ? `, ${counted(cut, 'exchange')} cut` : ''}`);
  } catch (error) {
    log.error('drain failed', { cause: reasonOf(error) });
    await gateway.close();
  }
  return EXIT.ok;
}

async function endForced(gateway: Gateway, signal: EndSignal, log: Log): Promise<number> {
  const cut = gateway.snapshot().traffic.inFlight;
  log.warn(`${signal} again: stopping at once, ${counted(cut, 'exchange')} cut`, { cut });
  await gateway.kill();
  return EXIT[signal];
}

async function endBug(gateway: Gateway, failure: Error, log: Log): Promise<typeof EXIT.bug> {
  log.error('stopping because of a bug in gw', { error: failure.stack ?? failure.message });
  await gateway.close();
  return EXIT.bug;
}
