import { type Command as Commander, Option } from 'commander';
import type { Format } from '../../lint/render/index.js';
import { defineCommand, type SpecOptions, withOverlays } from '../command.js';
import { EXIT, usage } from '../exit-codes.js';
import { breathe, type Io } from '../io.js';

const FORMATS = ['pretty', 'json', 'sarif', 'github', 'junit'] as const satisfies readonly Format[];

interface Options extends SpecOptions {
  readonly format: Format;
  readonly json?: boolean;
  readonly denyWarnings?: boolean;
  readonly fix?: boolean;
  readonly explain?: string;
  /** False: no code of custom policies runs. */
  readonly code?: boolean;
}

export default defineCommand<Options, [specs: readonly string[]]>({
  name: 'validate',
  group: 'Check',
  summary: 'Check a spec: report every error and warning, fix what is safe to fix',
  details:
    'Exit code 0: no errors; 1: errors (with --deny-warnings also warnings), or a file that cannot be read; 2: wrong usage. With --quiet, warnings are not printed.',
  examples: [
    ['gw validate', 'the nearest gateway.toml'],
    ['gw validate --fix', 'apply safe fixes, then report the rest'],
    ['gw validate --explain route/shadowed', 'what a code means and what to do'],
    ['gw validate a b --format github', 'two folders, as annotations for a workflow'],
    ['generate-spec | gw validate -', 'a spec on standard input'],
  ],
  configure,
  async run({ args: [specs], options, io }) {
    const format = options.json ? 'json' : options.format;
    if (options.explain !== undefined) {
      const { printCode } = await import('../explain-code.js');
      return printCode(io, options.explain, { json: format === 'json' });
    }
    if (options.fix && specs.includes('-')) throw usage('--fix needs a file to write to, and `-` is standard input.');
    const { overlayPaths, specSource } = await import('../spec.js');
    const { validate } = await import('../../lint/validate.js');
    const sources = await Promise.all((specs.length === 0 ? [undefined] : specs).map((spec) => specSource(io, spec)));
    const result = await io.spin('Checking the spec', async () => {
      await breathe();
      return validate({
        specs: sources.map(({ path }) => path),
        read: sources.find(({ read }) => read)?.read,
        overlays: overlayPaths(io, options),
        format,
        color: io.color,
        columns: io.columns,
        cwd: io.cwd,
        denyWarnings: options.denyWarnings === true,
        fix: options.fix === true,
        errorsOnly: io.quiet,
        noCode: options.code === false,
      });
    });
    io.write(result.output);
    for (const failure of result.failures) io.error(failure);
    for (const note of result.notes) io.note(note);
    if (format === 'pretty') hint(io, result.codes);
    return result.passed ? EXIT.ok : EXIT.failed;
  },
});

function configure(command: Commander): void {
  command.argument('[spec...]', 'specs, their folders, or - for standard input (default: the nearest gateway.toml)');
  withOverlays(command)
    .addOption(new Option('--format <format>', 'format of the report').choices(FORMATS).default('pretty'))
    .option('--json', 'the same as --format json; errors included')
    .option('--deny-warnings', 'fail on warnings too')
    .option('--fix', 'write safe fixes into the files')
    .option('--no-code', 'run no code of custom policies; their settings are not checked')
    .option('--explain <code>', 'print the page about a diagnostic, such as route/shadowed');
}

/** People at a terminal learn where the codes are explained. */
function hint(io: Io, codes: readonly string[]): void {
  if (io.stdout.isTTY && codes[0] !== undefined) io.note(`For details: gw validate --explain ${codes[0]}`);
}
