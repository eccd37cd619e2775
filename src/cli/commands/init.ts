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
      io.json({ version: 1, template, files: written, notes: plan.notes, apiKey: plan.apiKey?.key ?? null });
    } else {
      tell(io, dir, plan, written);
    }
    return EXIT.ok;
  },
});

async function readSource(io: Io, given: string): Promise<OpenApiSource> {
  const { basename } = await import('node:path');
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(given)) {
    const end = given.replace(/[?#].*$/, '');
    const name = /([\w.-]+\.(json|ya?ml))$/i.exec(end)?.[1] ?? 'openapi.json';
    throw usage(
      `--from names a file; gw does not download. Save the document first:\n  curl -fsSL -o ${name} '${given.replaceAll("'", '%27')}'\n  gw init --from ${name}`,
    );
  }
  const { readInput } = await import('../source.js');
  const { decodeDocument } = await import('../openapi/text.js');
  const name = basename(given);
  return { name, text: decodeDocument(readInput(io, given, 'document'), name) };
}

/** Files of one folder that are listed one by one. */
const MOST_LISTED = 5;

function tell(io: Io, dir: string, plan: InitPlan, written: readonly Written[]): void {
  const parts = written.filter(({ path }) => path.startsWith('routes/'));
  for (const { path, how } of written) {
    if (parts.length > MOST_LISTED && path.startsWith('routes/')) continue;
    io.line(`${io.paint('green', how.padEnd(9))} ${path}`);
  }
  if (parts.length > MOST_LISTED) {
    io.line(`${io.paint('green', 'written'.padEnd(9))} routes/ (${parts.length} files, one for each tag)`);
  }
  if (plan.shortNotes.length > 0) io.line();
  for (const { warning, text } of plan.shortNotes) {
    io.line(`${warning ? io.paint('yellow', 'warning:') : 'note:'} ${text}`);
  }
  if (plan.apiKey !== undefined) {
    const { consumer, key } = plan.apiKey;
    io.line(`\nThe API key of consumer ${consumer}, which is written nowhere else:\n  ${io.paint('bold', key)}`);
  }
  const steps: (readonly [string, string])[] = [
    ...(dir === '.' ? [] : [[`cd ${dir}`, ''] as const]),
    ['gw validate', 'check the spec'],
    ['gw routes', 'list what it routes, in the order of precedence'],
    ['gw serve', 'run it; edits go live as you save'],
    [`curl -i ${plan.firstRequest}`, 'from another terminal'],
    ['gw dash', 'watch it'],
  ];
  const short = steps.map(([line]) => line.length).filter((length) => length < 60);
  const width = Math.max(...short);
  io.line('\nNext:');
  for (const [line, meaning] of steps) {
    io.line(`  ${meaning === '' ? line : `${line.padEnd(width)}   ${io.paint('dim', `# ${meaning}`)}`}`);
  }
}
