import { Option } from 'commander';
import { defineCommand, type SpecOptions, withOverlays } from '../command.js';
import { usage } from '../exit-codes.js';
import type { Io } from '../io.js';

type LogFormat = 'pretty' | 'json';

interface Options extends SpecOptions {
  readonly watch: boolean;
  readonly dev?: boolean;
  readonly log?: LogFormat;
  readonly logLevel?: 'debug' | 'info' | 'warn' | 'error';
  /** False: off. Undefined: as the spec says. */
  readonly accessLog?: string | boolean;
  readonly verify?: string;
}

export default defineCommand<Options, [spec: string | undefined]>({
  name: 'serve',
  group: 'Run',
  summary: 'Run a gateway from a spec or a bundle, with live reload',
  details:
    'A changed spec goes live when it is saved. One with errors is reported, and the gateway serves on unchanged.\n\nSignals: SIGHUP reloads, SIGTERM drains and ends, a second SIGTERM ends at once. Exit code 1: the gateway could not start, for example because an address is in use.',
  examples: [
    ['gw serve', 'the nearest gateway.toml'],
    ['gw serve gateway.bundle --verify public.pem --log json', 'a signed bundle, in production'],
    ['gw serve --overlay gateway.prod.toml --no-watch', 'with an overlay; reload on SIGHUP only'],
  ],
  configure(command) {
    command.argument('[spec]', 'the spec, its folder, or a bundle (default: the nearest gateway.toml)');
    withOverlays(command)
      .option('--watch', 'reload when a file of the spec changes', true)
      .option('--no-watch', 'reload on SIGHUP only')
      .option('--dev', 'certificates by ACME come from the staging directory of the authority')
      .addOption(
        new Option('--log <format>', 'format of the log (default: pretty on a terminal, otherwise json)').choices([
          'pretty',
          'json',
        ]),
      )
      .addOption(
        new Option(
          '--log-level <level>',
          'least severe level that is logged (default: info; with --quiet: error)',
        ).choices(['debug', 'info', 'warn', 'error']),
      )
      .option('--access-log <file>', 'log each request to this file, or - for standard output; overrides the spec')
      .option('--no-access-log', 'no access log; overrides the spec')
      .option('--verify <file>', 'the ed25519 public key (PEM) that must have signed the bundle');
  },
  async run({ args: [spec], options, io }) {
    if (spec === '-') throw usage(NO_STDIN);
    const { readInput, shownPath } = await import('../files.js');
    const { findSpec, isBundleFile, overlayPaths } = await import('../spec.js');
    const path = findSpec(io, spec);
    const isBundle = await isBundleFile(path);
    if (isBundle && options.overlay) throw usage('--overlay is for specs: a bundle is already compiled.');
    if (!isBundle && options.verify) throw usage('--verify is for bundles: a spec has no signature.');
    const { loadAll, loadEach } = await import('../../load-in-steps.js');
    await loadEach(['policies', 'actions'], 'index.js');
    await loadAll('lint/rules');
    const { runServe } = await import('../../control/serve.js');
    const logLevel = options.logLevel ?? (io.quiet ? 'error' : undefined);
    const log = options.log ?? (io.stdout.isTTY ? 'pretty' : 'json');
    return runServe({
      path,
      shownPath: shownPath(io, path),
      isBundle,
      overlays: overlayPaths(io, options),
      ...(options.verify === undefined
        ? {}
        : { publicKey: Buffer.from(readInput(io, options.verify, 'secret')).toString('utf8') }),
      watch: options.watch,
      development: options.dev === true,
      log,
      ...(logLevel === undefined ? {} : { logLevel }),
      ...accessLog(io, options.accessLog, log),
      color: io.color,
      stdout: io.stdout,
      stderr: io.stderr,
      env: io.env,
    });
  },
});

const NO_STDIN =
  '`gw serve` reads its spec again at each reload, so it cannot read standard input.\nCompile it first: gw compile - -o gateway.bundle && gw serve gateway.bundle';

function accessLog(io: Io, asked: Options['accessLog'], log: LogFormat) {
  if (asked === undefined || asked === true) return {};
  if (asked === false) return { accessLog: null };
  if (asked === '-') return { accessLog: { path: '-', format: log } };
  const path = asked.startsWith('/') ? asked : `${io.cwd}/${asked}`;
  return { accessLog: { path, format: 'json' as const } };
}
