/** The command line: finds the command's file, runs it, and turns its end into an exit code. */
import { readdirSync } from 'node:fs';
import { Command as Commander, CommanderError } from 'commander';
import { reasonOf } from '../reason.js';
import { gwVersion } from '../version.js';
import { type Command, GROUPS, HELP_COLUMNS } from './command.js';
import { EXIT, failed, usage } from './exit-codes.js';
import { reportFailure, wordsBeforeEnd } from './failure.js';
import { Io } from './io.js';

const VERSION_FLAGS: readonly string[] = ['-v', '-V', '--version'];
const COMMANDS = new URL('./commands/', import.meta.url);

/** Names of all commands: the files in commands/. */
export function commandNames(): string[] {
  return readdirSync(COMMANDS)
    .filter((file) => file.endsWith('.js'))
    .map((file) => file.slice(0, -'.js'.length))
    .sort();
}

async function loadCommand(name: string): Promise<Command> {
  const module = (await import(new URL(`${name}.js`, COMMANDS).href)) as { default: Command };
  return module.default;
}

/** The commander program. It holds the command that the arguments name; without one, or for completion, all commands. */
export async function buildProgram(
  argv: readonly string[],
  io: () => Io,
  exit: (code: number) => void,
): Promise<Commander> {
  const program = new Commander('gw')
    .description(
      'gw is an API gateway that you keep in your repository: one TOML spec, compiled\nand checked, then served with live reload.',
    )
    .version(gwVersion(), '-V, --version', 'print the version (-v does the same)')
    .commandsGroup(`${GROUPS.at(-1)}:`)
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'Print help for a command')
    .option('-q, --quiet', 'print results and errors only')
    .option('--color', 'colour the output even if it is not a terminal')
    .option('--no-color', 'never colour the output')
    .configureHelp({ subcommandTerm: (command) => command.name(), showGlobalOptions: true })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io().stdout.write(text),
      writeErr: (text) => io().stderr.write(text),
      // failure.ts prints errors, for people or as JSON.
      outputError: () => {},
      getOutHelpWidth: () => io().columns ?? HELP_COLUMNS,
      getErrHelpWidth: () => io().errorColumns ?? HELP_COLUMNS,
      getOutHasColors: () => io().color,
      getErrHasColors: () => io().errorColor,
    });
  program.addHelpText(
    'after',
    '\nExamples:\n  $ gw init       # write a spec to start from\n  $ gw validate   # check it\n  $ gw serve      # run it\n\nHelp for one command: gw COMMAND --help',
  );
  const names = commandNames();
  const first = argv.find((word) => !word.startsWith('-'));
  // A named command does not need the files of the others; help, completion and a misspelt name do.
  const wanted = first !== undefined && first !== 'completion' && names.includes(first) ? [first] : names;
  const commands = await Promise.all(wanted.map(loadCommand));
  for (const command of commands.sort(byGroup)) command.register(program, { io, exit });
  return program;
}

const byGroup = (a: Command, b: Command): number => groupIndex(a) - groupIndex(b);
const groupIndex = ({ group }: Command): number => (group === undefined ? GROUPS.length : GROUPS.indexOf(group));

/** Runs one command line against `io`; returns the exit code. Never rejects. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  let code: number = EXIT.ok;
  try {
    if (argv[0] !== undefined && VERSION_FLAGS.includes(argv[0])) {
      io.line(gwVersion());
      return EXIT.ok;
    }
    if (argv[0] === 'help') rejectUnknownTopic(argv[1]);
    const program = await buildProgram(
      argv,
      () => io,
      (exitCode) => {
        code = exitCode;
      },
    );
    if (argv.length === 0) program.outputHelp({ error: true });
    if (argv.length === 0) return EXIT.usage;
    await program.parseAsync(argv, { from: 'user' });
    return code;
  } catch (error) {
    // Help and the version have been printed.
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    const reported = error instanceof CommanderError ? usage(usageMessage(error, argv)) : error;
    return reportFailure(reported, io, { argv, version: gwVersion() });
  }
}

/** For an unknown topic commander would print the whole help. */
function rejectUnknownTopic(topic: string | undefined): void {
  if (topic === undefined || topic.startsWith('-') || topic === 'help' || commandNames().includes(topic)) return;
  throw usage(`There is no command \`${topic}\`. \`gw --help\` lists the commands.`);
}

/** What commander found wrong, as a sentence with what to do next. */
function usageMessage({ message }: CommanderError, argv: readonly string[]): string {
  const words = argv.filter((word) => !word.startsWith('-'));
  const [problem = '', suggestion] = message.replace(/^error: /, '').split('\n');
  const text = `${problem.charAt(0).toUpperCase()}${problem.slice(1).replace(/\.$/, '')}.`;
  const hint = suggestion?.replace(/^\((.*)\)$/, '$1');
  const isCommand = words[0] !== undefined && commandNames().includes(words[0]);
  return `${text}${hint === undefined ? '' : ` ${hint}`}\n\`gw ${isCommand ? `${words[0]} ` : ''}--help\` shows the usage.`;
}

/** Runs the command line of this process. The entry of bin/gw.js. */
export async function main(argv: readonly string[]): Promise<void> {
  const { stdout, stderr, env } = process;
  const words = wordsBeforeEnd(argv);
  const io = new Io({
    stdin: () => process.stdin,
    stdout,
    stderr,
    env,
    cwd: process.cwd(),
    color: words.includes('--no-color') ? false : words.includes('--color') ? true : undefined,
    quiet: words.includes('--quiet') || words.includes('-q'),
  });
  let outputLost = false;
  for (const stream of [stdout, stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // A gateway that serves has a listener of its own: it runs on without a reader of its log. Other commands end by
      // themselves, with their own exit code, when a reader has seen enough (`gw routes | head`).
      if (stream.listenerCount('error') > 1 || error.code === 'EPIPE' || outputLost) return;
      outputLost = true;
      process.exitCode = EXIT.failed;
      if (stream === stdout)
        io.error(`gw: ${failed(`Cannot write to standard output: ${reasonOf(error, 'write')}.`).message}`);
    });
  }
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      // A gateway that serves has a listener of its own: it decides whether it can serve on.
      if (process.listenerCount(event) > 1) return;
      void reportFailure(error, io, { argv, version: gwVersion() }).then((code) => process.exit(code));
    });
  }
  const code = await run(argv, io);
  process.exitCode = outputLost && code === EXIT.ok ? EXIT.failed : code;
}
