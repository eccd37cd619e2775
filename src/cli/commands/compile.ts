import type { CompileStats } from '../../compiler/index.js';
import { defineCommand, JSON_HELP, SPEC_HELP, type SpecOptions, withOverlays } from '../command.js';
import { EXIT, usage } from '../exit.js';

interface Options extends SpecOptions {
  readonly output: string;
  readonly stats?: boolean;
  readonly sign?: string;
  readonly json?: boolean;
}

export default defineCommand<Options, [spec: string | undefined]>({
  name: 'compile',
  summary: 'Compile a spec to a bundle: one file that gw serve runs alone',
  details:
    'The same spec gives the same bytes. A spec with errors is refused. Make a key to sign with:\n  openssl genpkey -algorithm ed25519 -out key.pem',
  examples: [
    ['gw compile -o gateway.bundle', 'the gateway.toml of this folder'],
    ['gw compile -o gateway.bundle --stats', 'and say what the passes did'],
    ['gw compile prod.toml -o prod.bundle --sign key.pem', 'signed with an ed25519 key'],
  ],
  configure(command) {
    command.argument('[spec]', SPEC_HELP);
    command.requiredOption('-o, --output <file>', 'where to write the bundle; - for standard output');
    command.option('--stats', 'say what each pass did, and how long the stages took');
    command.option('--sign <file>', 'sign with this ed25519 private key (PEM)');
    withOverlays(command).option('--json', JSON_HELP);
  },
  async run({ args: [spec], options, io }) {
    const { isStandardOutput, writeFile } = await import('../output.js');
    const toOutput = isStandardOutput(io, options.output);
    if (toOutput && options.json) throw usage('--json and the bundle cannot both go to standard output.');
    const { compiledSpec, readInput } = await import('../source.js');
    const { BundleError, encodeBundle } = await import('../../bundle/encode.js');
    const key =
      options.sign === undefined ? undefined : Buffer.from(readInput(io, options.sign, 'secret')).toString('utf8');
    const { bundle, stats } = await io.spin('Compiling', () => compiledSpec(io, spec, options));
    let bytes: Uint8Array;
    try {
      bytes = encodeBundle(bundle, key);
    } catch (error) {
      if (error instanceof BundleError) throw usage(`${options.sign}: ${error.message}`);
      throw error;
    }
    if (toOutput) io.stdout.write(bytes);
    else writeFile(io, options.output, bytes);
    const result = { output: options.output, bytes: bytes.length, sha256: bundle.sha256, signed: key !== undefined };
    if (options.json) io.json({ version: 1, ...result, ...(options.stats ? { stats } : {}) });
    else tell(toOutput ? (line) => io.note(line) : (line) => io.line(line), result, options.stats ? stats : undefined);
    return EXIT.ok;
  },
});

interface Result {
  readonly output: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly signed: boolean;
}

function tell(say: (line: string) => void, result: Result, stats: CompileStats | undefined): void {
  const { output, bytes, sha256, signed } = result;
  say(`${output}: ${bytes} bytes, sha256 ${sha256}${signed ? ', signed' : ''}`);
  if (!stats) return;
  const { routes, services, policies, trieNodes, trieDepth, trieBytes, programBytes, times } = stats;
  say(`  ${routes} routes, ${services} services, ${policies} policies`);
  say(`  trie: ${trieNodes} nodes, ${trieDepth} deep, ${trieBytes} bytes; program: ${programBytes} bytes`);
  for (const { pass, summary, names } of stats.passes) {
    say(`  pass ${pass}: ${summary}${names.length > 0 ? ` (${names.join(', ')})` : ''}`);
  }
  const ms = (time: number): string => `${time.toFixed(1)} ms`;
  say(`  lower ${ms(times.lower)}, passes ${ms(times.passes)}, emit ${ms(times.emit)}`);
}
