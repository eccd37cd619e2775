import { Option } from 'commander';
import { defineCommand, JSON_HELP } from '../command.js';
import { EXIT, usage } from '../exit.js';
import type { InitPlan, OpenApiSource, Template } from '../init/plan.js';
import type { Written } from '../init/write.js';
import type { Io } from '../io.js';

interface Options {
  readonly template?: Template;
  readonly from?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

export default defineCommand<Options, [dir: string | undefined]>({
  name: 'init',
  summary: 'Write a spec to start from, with a test and a CI workflow',
  details:
    'Templates: minimal (one service behind one listener), services (keys, limits, groups), mock (replies without services),\nopenapi (services, routes and parameters from an OpenAPI 3.0 or 3.1 document, JSON or YAML).',
  examples: [
    ['gw init', 'minimal, into this folder'],
    ['gw init shop --template services', 'into the folder shop, made if it is not there'],
    ['gw init --from openapi.yaml', 'from your OpenAPI document'],
  ],
  configure(command) {
    command
      .argument('[dir]', 'the folder to write to (default: this one)')
      .addOption(
        new Option('-t, --template <name>', 'what to start from (default: minimal)').choices([
          'minimal',
          'services',
          'mock',
          'openapi',
        ]),
      )
      .option('--from <file>', 'an OpenAPI document; implies --template openapi')
      .option('-f, --force', 'overwrite files that are in the way')
      .option('--json', JSON_HELP);
  },
  async run({ args: [dir = '.'], options, io }) {
    if (options.from !== undefined && options.template !== undefined && options.template !== 'openapi') {
      throw usage(`--from makes a spec of an OpenAPI document, so it goes with --template openapi alone.`);
    }
    const { resolve } = await import('node:path');
    const source = options.from === undefined ? undefined : await readSource(io, options.from);
    const template = source ? 'openapi' : (options.template ?? 'minimal');
    const { initPlan } = await import('../init/plan.js');
    const { writeFiles } = await import('../init/write.js');
    const { gwVersion } = await import('../../version.js');
    const plan = await io.spin('Reading the document', async () => initPlan(template, source, gwVersion()));
    const written = writeFiles(resolve(io.cwd, dir), plan.files, options.force ?? false);
    if (options.json) {
      io.json({ version: 1, template, files: written, notes: plan.notes, apiKey: plan.apiKey ?? null });
    } else {
      tell(io, dir, plan, written);
    }
    return EXIT.ok;
  },
});

async function readSource(io: Io, given: string): Promise<OpenApiSource> {
  const { readInput } = await import('../source.js');
  const { basename } = await import('node:path');
  return { name: basename(given), text: Buffer.from(readInput(io, given, 'document')).toString('utf8') };
}

function tell(io: Io, dir: string, plan: InitPlan, written: readonly Written[]): void {
  for (const { path, how } of written) io.line(`${io.paint('green', how.padEnd(9))} ${path}`);
  if (plan.notes.length > 0) {
    io.line();
    for (const note of plan.notes.slice(0, 10)) io.line(`note: ${note}`);
    if (plan.notes.length > 10) io.line(`note: ${plan.notes.length - 10} more such; the spec lists them.`);
  }
  if (plan.apiKey !== undefined) {
    io.line(`\nThe API key of consumer acme, which is written nowhere else:\n  ${io.paint('bold', plan.apiKey)}`);
  }
  const steps: (readonly [string, string])[] = [
    ...(dir === '.' ? [] : [[`cd ${dir}`, ''] as const]),
    ['gw validate', 'say all that is wrong with the spec: nothing yet'],
    ['gw serve', 'run it; edits go live as you save'],
    [`curl -i ${plan.firstUrl}`, 'from another terminal'],
    ['gw dash', 'watch it'],
  ];
  const width = Math.max(...steps.map(([line]) => line.length));
  io.line('\nNext:');
  for (const [line, meaning] of steps) {
    io.line(`  ${meaning === '' ? line : `${line.padEnd(width)}   ${io.paint('dim', `# ${meaning}`)}`}`);
  }
}
