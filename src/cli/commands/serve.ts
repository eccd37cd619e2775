import { Option } from 'commander';
import { defineCommand, SPEC_HELP, type SpecOptions, withOverlays } from '../command.js';
import { usage } from '../exit.js';
import type { Io } from '../io.js';

type LogFormat = 'pretty' | 'json';

interface Options extends SpecOptions {
  readonly watch: boolean;
  readonly log?: LogFormat;
  readonly logLevel?: 'debug' | 'info' | 'warn' | 'error';
  /** False: off. Undefined: as the spec says. */
  readonly accessLog?: string | boolean;
  readonly verify?: string;
}

export default defineCommand<Options, [spec: string | undefined]>({
  name: 'serve',
  summary: 'Run a gateway from a spec or a bundle, with live reload',
  details:
    'A changed spec goes live as it is saved; one with errors changes nothing and is reported.\nSIGHUP reloads, SIGTERM drains and ends, a second SIGTERM ends at once.',
  examples: [
    ['gw serve', 'the gateway.toml of this folder'],
    ['gw serve gateway.bundle --verify public.pem --log json', 'a signed bundle, in production'],
    ['gw serve --overlay gateway.prod.toml --no-watch', 'with an overlay; changes wait for SIGHUP'],
  ],
  configure(command) {
    command.argument('[spec]', `${SPEC_HELP}, or a bundle`);
    withOverlays(command)
      .option('--watch', 'reload when a file of the spec changes', true)
      .option('--no-watch', 'reload on SIGHUP alone')
      .addOption(
        new Option('--log <format>', 'what gw says of itself (default: pretty on a terminal, else json)').choices([
          'pretty',
          'json',
        ]),
      )
      .addOption(
        new Option('--log-level <level>', 'the least that is logged (default: info)').choices([
          'debug',
          'info',
          'warn',
          'error',
        ]),
      )
      .option(
        '--access-log <file>',
        'a line for each request into this file, - for standard output, whatever the spec says',
      )
      .option('--no-access-log', 'no access log, whatever the spec says')
      .option('--verify <file>', 'the ed25519 public key (PEM) that must have signed the bundle');
  },
  async run({ args: [spec], options, io }) {
    const { findSpec, isBundleFile, readInput, shownPath } = await import('../source.js');
    const { resolve } = await import('node:path');
    const path = findSpec(io, spec);
    const isBundle = await isBundleFile(path);
    if (isBundle && options.overlay) throw usage('Overlays are for specs: a bundle is compiled already.');
    if (!isBundle && options.verify) throw usage('--verify is for bundles: a spec carries no signature.');
    const { runServe } = await import('../../control/serve/serve.js');
    const log = options.log ?? (io.stdout.isTTY ? 'pretty' : 'json');
    return runServe({
      path,
      shownPath: shownPath(io, path),
      isBundle,
      overlays: (options.overlay ?? []).map((overlay) => resolve(io.cwd, overlay)),
      ...(options.verify === undefined
        ? {}
        : { publicKey: Buffer.from(readInput(io, options.verify, 'secret')).toString('utf8') }),
      watch: options.watch,
      log,
      ...(options.logLevel === undefined ? {} : { logLevel: options.logLevel }),
      ...accessLog(io, options.accessLog, log),
      color: io.color,
      stdout: io.stdout,
      stderr: io.stderr,
      env: io.env,
    });
  },
});

function accessLog(io: Io, asked: Options['accessLog'], log: LogFormat) {
  if (asked === undefined || asked === true) return {};
  if (asked === false) return { accessLog: null };
  if (asked === '-') return { accessLog: { path: '-', format: log } };
  const path = asked.startsWith('/') ? asked : `${io.cwd}/${asked}`;
  return { accessLog: { path, format: 'json' as const } };
}
