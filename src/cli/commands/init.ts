import { InvalidArgumentError, Option } from 'commander';
import { defineCommand, JSON_HELP } from '../command.js';
import { EXIT, usage } from '../exit-codes.js';
import type { Installation } from '../init/installation.js';
import type { InitPlan, OpenApiSource, Template } from '../init/plan.js';
import type { Written } from '../init/write.js';
import type { Io } from '../io.js';
import { shellWord } from '../shell-word.js';

interface Options {
  readonly template?: Template;
  readonly from?: string;
  readonly port?: number;
  /** False: no CI workflow. */
  readonly ci: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
}

export default defineCommand<Options, [dir: string | undefined]>({
  name: 'init',
  group: 'Write a spec',
  summary: 'Write a spec to start from, with a test and a CI workflow',
  details:
    'Templates: minimal (one service behind one listener), services (demo services with keys, limits and groups), mock (replies without services), openapi (services, routes and parameters from an OpenAPI 3.0 or 3.1 document, JSON or YAML).',
  examples: [
    ['gw init', 'minimal, into this folder'],
    ['gw init shop --template services', 'into the folder shop, which is created if missing'],
    ['gw init --from openapi.yaml --port 9000', 'from your OpenAPI document, listening on port 9000'],
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
      .addOption(new Option('-p, --port <number>', 'where the gateway listens (default: 8080)').argParser(portNumber))
      .option('--no-ci', 'write no CI workflow')
      .option('-f, --force', 'overwrite existing files')
      .option('--json', JSON_HELP);
  },
  async run({ args: [dir = '.'], options, io }) {
    if (options.from !== undefined && options.template !== undefined && options.template !== 'openapi') {
      throw usage('--from reads an OpenAPI document, so it goes only with --template openapi.');
    }
    const { resolve } = await import('node:path');
    const source = options.from === undefined ? undefined : await readSource(io, options.from);
    const template = source ? 'openapi' : (options.template ?? 'minimal');
    const { initPlan } = await import('../init/plan.js');
    const { installationFor } = await import('../init/installation.js');
    const { placeInRepository } = await import('../init/workflow.js');
    const { writeFiles } = await import('../init/write.js');
    const { gwVersion } = await import('../../version.js');
    const folder = resolve(io.cwd, dir);
    const version = gwVersion();
    const installation = installationFor(folder, io.env, version);
    const place = placeInRepository(folder) ?? '';
    const { port } = options;
    const plan = await io.spin('Reading the document', async () =>
      initPlan({ template, source, port, version, installation, ci: options.ci ? place : undefined }),
    );
    const written = writeFiles(folder, plan.files, options.force ?? false);
    if (options.json) {
      const { notes, apiKey, address } = plan;
      io.json({ version: 1, template, address, files: written, notes, apiKey: apiKey?.key ?? null });
    } else {
      listFiles(io, written);
      showNotes(io, plan);
      if (options.ci && place !== '') {
        io.info(`note: GitHub reads workflows only in .github/workflows at the root of the repository: move it there.`);
      }
      await warnPort(io, folder, plan.address);
      showSteps(io, dir, plan, installation);
    }
    return EXIT.ok;
  },
});

function portNumber(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw new InvalidArgumentError('A port is a number from 1 to 65535.');
  return port;
}

async function readSource(io: Io, given: string): Promise<OpenApiSource> {
  const { basename } = await import('node:path');
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(given)) {
    const end = given.replace(/[?#].*$/, '');
    const name = /([\w.-]+\.(json|ya?ml))$/i.exec(end)?.[1] ?? 'openapi.json';
    throw usage(
      `--from names a file; gw does not download. Save the document first:\n  curl -fsSL -o ${name} '${given.replaceAll("'", '%27')}'\n  gw init --from ${name}`,
    );
  }
  const { readInput } = await import('../files.js');
  const { readText } = await import('../openapi/document.js');
  const name = basename(given);
  return { name, text: readText(readInput(io, given, 'document'), name) };
}

/** Files of one folder that are listed one by one. */
const MOST_LISTED = 5;

function listFiles(io: Io, written: readonly Written[]): void {
  const parts = written.filter(({ path }) => path.startsWith('routes/'));
  for (const { path, how } of written) {
    if (parts.length > MOST_LISTED && path.startsWith('routes/')) continue;
    io.info(`${io.paint('green', how.padEnd(9))} ${path}`);
  }
  if (parts.length > MOST_LISTED) {
    io.info(`${io.paint('green', 'written'.padEnd(9))} routes/ (${parts.length} files, one for each tag)`);
  }
}

function showNotes(io: Io, { shortNotes, apiKey }: InitPlan): void {
  if (shortNotes.length > 0) io.info();
  for (const { warning, text } of shortNotes) {
    io.info(`${warning ? io.paint('yellow', 'warning:') : 'note:'} ${text}`);
  }
  if (apiKey === undefined) return;
  const { consumer, key } = apiKey;
  io.line(`\nThe API key of consumer ${consumer}. It is stored nowhere else:\n  ${io.paint('bold', key)}`);
}

/** Warns if `gw serve` could not listen now. */
async function warnPort(io: Io, folder: string, address: string): Promise<void> {
  const { assertFree } = await import('../../control/ports/addresses.js');
  try {
    await assertFree([address]);
  } catch (error) {
    const { bindHelp } = await import('../../control/ports/bind-help.js');
    const { errnoCode, reasonOf } = await import('../../reason.js');
    const { runtimePath } = await import('../../telemetry/admin-protocol.js');
    const spec = `${folder}/gateway.toml`;
    const help = (await bindHelp(errnoCode(error) ?? '', address, spec, runtimePath(io.env))) ?? '';
    io.info(`\n${io.paint('yellow', 'warning:')} gw cannot listen at ${address} now: ${reasonOf(error)}. ${help}`);
    io.info('The port is in `address` of gateway.toml; `gw init --port` chooses another.');
  }
}

type Step = readonly [line: string, meaning: string];

/** What to type next, in order and ready to paste. */
function showSteps(io: Io, dir: string, plan: InitPlan, { command, test }: Installation): void {
  const needs = plan.needs?.length ? `; needs ${plan.needs.slice(0, 2).join(' and ')}` : '';
  const here: Step[] = [
    [`${command} validate`, 'check the spec'],
    [test, 'run the example test'],
    [`${command} serve`, 'run the gateway; an edit goes live when you save it'],
  ];
  const elsewhere: Step[] = [
    [`curl -i ${plan.firstRequest}`, `send a request${needs}`],
    ...(plan.keyedRequest === undefined ? [] : [[`curl -i ${plan.keyedRequest}`, 'and one with the API key'] as const]),
    [`${command} dash`, 'watch the traffic'],
  ];
  const lengths = [...here, ...elsewhere].map(([line]) => line.length).filter((length) => length < 60);
  const width = Math.max(...lengths, 0);
  const show = ([line, meaning]: Step): void => io.info(`  ${line.padEnd(width)}   ${io.paint('dim', `# ${meaning}`)}`);
  io.info('\nNext:');
  if (dir !== '.') io.info(`  cd ${shellWord(dir)}`);
  for (const step of here) show(step);
  io.info('\nThen, in another terminal, in the same folder:');
  for (const step of elsewhere) show(step);
}
