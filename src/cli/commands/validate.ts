import { defineCommand, type SpecOptions, withOverlays } from '../command.js';
import { EXIT, usage } from '../exit.js';
import { breathe } from '../io.js';

interface Options extends SpecOptions {
  readonly format: string;
  readonly json?: boolean;
  readonly denyWarnings?: boolean;
  readonly fix?: boolean;
}

export default defineCommand<Options, [specs: readonly string[]]>({
  name: 'validate',
  summary: 'Say all that is wrong with a spec, and mend what can be mended safely',
  details:
    'Exit code 0: nothing is wrong, or only warnings; 1: errors (with --deny-warnings also warnings); 2: wrong usage.\n' +
    'docs/diagnostics explains each code.',
  examples: [
    ['gw validate', 'the gateway.toml in this folder'],
    ['gw validate --fix', 'mend what can be mended safely, say the rest'],
    ['gw validate a/gateway.toml b/gateway.toml --format github', 'annotations for a workflow run'],
  ],
  configure(command) {
    command.argument('[spec...]', 'specs, or folders with a gateway.toml (default: the one here or in a folder above)');
    withOverlays(command)
      .option('--format <format>', 'pretty, json, sarif, github or junit', 'pretty')
      .option('--json', 'the same as --format json')
      .option('--deny-warnings', 'fail on warnings too')
      .option('--fix', 'write safe fixes into the files');
  },
  async run({ args: [specs], options, io }) {
    const { findSpec } = await import('../source.js');
    const { resolve } = await import('node:path');
    const { FORMATS } = await import('../../lint/render/index.js');
    const { validate } = await import('../../lint/validate.js');
    const wanted = options.json ? 'json' : options.format;
    const format = FORMATS.find((name) => name === wanted);
    if (!format) throw usage(`there is no format \`${wanted}\`; the formats are ${FORMATS.join(', ')}`);
    const paths = specs.length === 0 ? [findSpec(io, undefined)] : specs.map((spec) => findSpec(io, spec));
    const result = await io.spin('Checking the spec', async () => {
      await breathe();
      return validate({
        specs: paths,
        overlays: (options.overlay ?? []).map((overlay) => resolve(io.cwd, overlay)),
        format,
        color: io.color,
        columns: io.columns,
        cwd: io.cwd,
        denyWarnings: options.denyWarnings === true,
        fix: options.fix === true,
      });
    });
    io.write(result.output);
    for (const note of result.notes) io.note(note);
    return result.passed ? EXIT.ok : EXIT.failed;
  },
});
