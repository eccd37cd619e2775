/** The command line: finds the command's file, runs it, and turns however it ends into an exit code. */
import { readdirSync } from 'node:fs';
import { Command as Commander, CommanderError } from 'commander';
import { gwVersion } from '../version.js';
import { bugReport } from './bug-report.js';
import type { Command } from './command.js';
import { EXIT, Stop } from './exit.js';
import { Io } from './io.js';

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

/** The commander program with the commands in it: all of them, or only the one that the arguments name. */
export async function buildProgram(
  argv: readonly string[],
  io: () => Io,
  exit: (code: number) => void,
): Promise<Commander> {
  const program = new Commander('gw')
    .description('An API gateway you keep in the repository: a spec, a compiler, a proxy, a dashboard.')
    .version(gwVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help for a command')
    .helpCommand('help [command]', 'print help for a command')
    .option('--color', 'colour the output even when it is no terminal')
    .option('--no-color', 'never colour the output')
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .showHelpAfterError('(add --help for what it takes)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io().stdout.write(text),
      writeErr: (text) => io().stderr.write(text),
      getOutHelpWidth: () => io().columns ?? 100,
      getErrHelpWidth: () => io().columns ?? 100,
      getOutHasColors: () => io().color,
      getErrHasColors: () => io().errorColor,
    });
  program.addHelpText(
    'after',
    '\nExamples:\n  $ gw init       # write a spec to start from\n  $ gw validate   # say all that is wrong with it\n  $ gw serve      # run it',
  );
  const names = commandNames();
  const first = argv.find((word) => !word.startsWith('-'));
  // One named command needs no other one's file; help, completion and a misspelt name need them all.
  const wanted = first !== undefined && first !== 'completion' && names.includes(first) ? [first] : names;
  for (const command of await Promise.all(wanted.map(loadCommand))) command.register(program, { io, exit });
  return program;
}

/** Options that take a value in `argv` hide nothing here: `--no-color` is looked for before a `--`. */
function colorAsked(argv: readonly string[]): boolean | undefined {
  const end = argv.indexOf('--');
  const words = end === -1 ? argv : argv.slice(0, end);
  if (words.includes('--no-color')) return false;
  return words.includes('--color') ? true : undefined;
}

/** Runs one command line against `io`; returns the exit code and never throws. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  let code: number = EXIT.ok;
  try {
    if (argv[0] === '--version' || argv[0] === '-V') {
      io.line(gwVersion());
      return EXIT.ok;
    }
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
    return failure(error, argv, io);
  }
}

function failure(error: unknown, argv: readonly string[], io: Io): number {
  // Commander has printed its message; it calls everything 1, and 0 only help and the version.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof Stop) {
    if (error.message !== '') io.note(`${io.paintError('red', 'gw:')} ${error.message}`);
    return error.exitCode;
  }
  io.note(bugReport(error, argv, gwVersion()));
  return EXIT.bug;
}

/** Entry of bin/gw.js. */
export async function main(argv: readonly string[]): Promise<void> {
  const { stdout, stderr, env } = process;
  const io = new Io({ stdout, stderr, env, cwd: process.cwd(), color: colorAsked(argv) });
  for (const stream of [stdout, stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // A gateway that serves listens as well: whoever read its log may go, its callers are still there.
      if (stream.listenerCount('error') > 1) return;
      // Whoever read the output has seen enough (`gw routes | head`).
      if (error.code === 'EPIPE') process.exit();
      throw error;
    });
  }
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      // A gateway that serves listens as well, and decides by itself what its traffic can survive.
      if (process.listenerCount(event) > 1) return;
      stderr.write(`${bugReport(error, argv, gwVersion())}\n`);
      process.exit(EXIT.bug);
    });
  }
  process.exitCode = await run(argv, io);
}
