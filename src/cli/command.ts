/**
 * What a command is: one file in commands/, found by its name there. The file holds what `gw --help` needs and nothing
 * heavy: whatever does the work is imported inside `run`.
 *
 *     export default defineCommand<{ json?: boolean }, [spec: string | undefined]>({
 *       name: 'routes',
 *       summary: 'List the routes in match order',
 *       examples: [['gw routes', 'the routes of gateway.toml in this folder']],
 *       configure: (command) => { command.argument('[spec]', SPEC_HELP).option('--json', JSON_HELP); },
 *       async run({ args: [spec], options, io }) {
 *         const { checkSpec } = await import('../../lint/index.js');
 *         return EXIT.ok;
 *       },
 *     });
 */
import type { Command as Commander } from 'commander';
import type { Io } from './io.js';

export interface CommandContext<Options, Args extends readonly unknown[]> {
  /** Positional arguments as commander gives them: undefined for one left out, an array for `[name...]`. */
  readonly args: Args;
  readonly options: Options;
  readonly io: Io;
  /** The whole command line: what completion scripts are made from. */
  readonly program: Commander;
}

export interface CommandSpec<Options, Args extends readonly unknown[]> {
  /** Equal to the file's name. */
  readonly name: string;
  /** One line for `gw --help`, no full stop. */
  readonly summary: string;
  /** More for the command's own help. */
  readonly details?: string;
  /** At least one: a command line and what it does. */
  readonly examples: readonly (readonly [line: string, meaning: string])[];
  /** Declares arguments and options. */
  configure(command: Commander): void;
  /** Does the work; returns the exit code. Throws Stop to end with a message. */
  run(context: CommandContext<Options, Args>): Promise<number>;
}

/** A command behind its types: what main registers. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  /** Adds the command to the program; `finish` gets the io to make and the exit code to set. */
  register(program: Commander, host: CommandHost): void;
}

export interface CommandHost {
  io(): Io;
  exit(code: number): void;
}

/** Types the options and arguments of a command, and hides them again behind `Command`. */
export function defineCommand<Options extends object, Args extends readonly unknown[] = []>(
  spec: CommandSpec<Options, Args>,
): Command {
  return {
    name: spec.name,
    summary: spec.summary,
    register(program, host) {
      const command = program.command(spec.name).summary(spec.summary);
      command.description(spec.details === undefined ? `${spec.summary}.` : `${spec.summary}.\n\n${spec.details}`);
      spec.configure(command);
      command.addHelpText('after', examplesText(spec.examples));
      command.action(async () => {
        const args = command.processedArgs as readonly unknown[] as Args;
        host.exit(await spec.run({ args, options: command.opts<Options>(), io: host.io(), program }));
      });
    },
  };
}

function examplesText(examples: CommandSpec<object, []>['examples']): string {
  const width = Math.max(...examples.map(([line]) => line.length));
  const lines = examples.map(([line, meaning]) => `  $ ${line.padEnd(width)}   # ${meaning}`);
  return `\nExample${examples.length > 1 ? 's' : ''}:\n${lines.join('\n')}`;
}

export const SPEC_HELP = 'the spec, or a folder with a gateway.toml (default: the one in this folder or above it)';
export const JSON_HELP = 'print JSON for programs';

/** Gathers a repeatable option: `--overlay a.toml --overlay b.toml`. */
export const gather = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

/** The option of every command that reads a spec. */
export function withOverlays(command: Commander): Commander {
  return command.option('--overlay <file>', 'lay this file over the spec (repeatable, later ones win)', gather);
}

export interface SpecOptions {
  readonly overlay?: readonly string[];
}
