import type { CompileStats } from '../../compiler/index.js';
import { defineCommand, JSON_HELP, SPEC_HELP, type SpecOptions, withOverlays } from '../command.js';
import { EXIT, failed, usage } from '../exit-codes.js';
import type { Io } from '../io.js';

interface Options extends SpecOptions {
  readonly output?: string;
  readonly force?: boolean;
  readonly stats?: boolean;
  readonly sign?: string;
  readonly includeConsumers?: boolean;
  readonly json?: boolean;
}

export default defineCommand<Options, [spec: string | undefined]>({
  name: 'compile',
  group: 'Run',
  summary: 'Compile a spec to a bundle: one file that gw serve runs on its own',
  details:
    'The same spec gives the same bytes. A spec with errors is refused. Without -o, the bundle of NAME.toml is NAME.bundle in this folder. A file that is not a bundle is overwritten only with --force.\n\nTo make a key for --sign:\n  openssl genpkey -algorithm ed25519 -out key.pem',
  examples: [
    ['gw compile', 'gateway.toml to gateway.bundle'],
    ['gw compile --stats', 'also print what the passes did'],
    ['gw compile prod.toml -o /srv/prod.bundle --sign key.pem', 'signed with an ed25519 key'],
    ['gw compile -o - | gw inspect -', 'through a pipe'],
  ],
  configure(command) {
    command.argument('[spec]', SPEC_HELP);
    command.option('-o, --output <file>', 'where to write the bundle; - for standard output');
    command.option('-f, --force', 'overwrite a file that is not a bundle');
    command.option('--stats', 'print what each pass did, and how long the stages took');
    command.option('--sign <file>', 'sign with this ed25519 private key (PEM)');
    command.option(
      '--include-consumers',
      'put the consumers of files into the bundle (default: gw serve reads the files)',
    );
    withOverlays(command).option('--json', JSON_HELP);
  },
  async run({ args: [spec], options, io }) {
    const { isStandardOutput, readInput, writeFile } = await import('../files.js');
    const { compiledSpec, specSource } = await import('../spec.js');
    const source = await specSource(io, spec);
    const output = options.output ?? bundleName(source.path);
    const toOutput = isStandardOutput(io, output);
    if (toOutput && options.json) throw usage('--json and the bundle cannot both go to standard output.');
    const { BundleError, encodeBundle } = await import('../../bundle/encode.js');
    const key =
      options.sign === undefined ? undefined : Buffer.from(readInput(io, options.sign, 'secret')).toString('utf8');
    if (!toOutput && !options.force) await keepOtherFiles(io, output);
    const { bundle, stats } = await io.spin('Compiling', () => compiledSpec(io, source, options));
    let bytes: Uint8Array;
    try {
      bytes = encodeBundle(bundle, key);
    } catch (error) {
      if (error instanceof BundleError) throw failed(`${options.sign}: ${error.message}`);
      throw error;
    }
    if (toOutput) io.stdout.write(bytes);
    else writeFile(io, output, bytes);
    const result = { output, bytes: bytes.length, sha256: bundle.sha256, signed: key !== undefined };
    if (options.json) io.json({ version: 1, ...result, ...(options.stats ? { stats } : {}) });
    else if (!options.stats) print(toOutput ? (line) => io.note(line) : (line) => io.info(line), result);
    // The user has asked for them: with --quiet too.
    else print(toOutput ? (line) => io.error(line) : (line) => io.line(line), result, stats);
    return EXIT.ok;
  },
});

/** `shop.toml` -> `shop.bundle`, in the working directory. A spec from standard input is named as a spec usually is. */
function bundleName(path: string): string {
  const name = path.slice(path.search(/[^/\\]*$/));
  return name === '<stdin>' ? 'gateway.bundle' : `${name.replace(/\.toml$/i, '')}.bundle`;
}

/** Throws CommandError where writing would replace something else than a bundle: the spec itself, for instance. */
async function keepOtherFiles(io: Io, output: string): Promise<void> {
  const { resolve } = await import('node:path');
  const { statOf } = await import('../../spec/stat.js');
  const { isBundleFile } = await import('../spec.js');
  const path = resolve(io.cwd, output);
  const stat = statOf(path);
  if (!stat?.isFile() || stat.size === 0n || (await isBundleFile(path))) return;
  throw failed(`${output} exists and is not a bundle. Name another file with -o, or overwrite it with --force.`);
}

interface Result {
  readonly output: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly signed: boolean;
}

function print(line: (text: string) => void, result: Result, stats?: CompileStats): void {
  const { output, bytes, sha256, signed } = result;
  line(`${output}: ${bytes} bytes, sha256 ${sha256}${signed ? ', signed' : ''}`);
  if (!stats) return;
  const { routes, services, policies, trieNodes, trieDepth, trieBytes, programBytes, times } = stats;
  line(`  ${counted(routes, 'route')}, ${counted(services, 'service')}, ${counted(policies, 'policy', 'policies')}`);
  line(`  trie: ${trieNodes} nodes, ${trieDepth} deep, ${trieBytes} bytes; program: ${programBytes} bytes`);
  for (const { pass, summary, names } of stats.passes) {
    line(`  pass ${pass}: ${summary}${names.length > 0 ? ` (${names.join(', ')})` : ''}`);
  }
  const ms = (time: number): string => `${time.toFixed(1)} ms`;
  line(`  lower ${ms(times.lower)}, passes ${ms(times.passes)}, emit ${ms(times.emit)}`);
}

const counted = (count: number, noun: string, plural = `${noun}s`): string => `${count} ${count === 1 ? noun : plural}`;
