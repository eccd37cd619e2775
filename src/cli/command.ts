/**
 * A command is one file in commands/, found by its file name. The file holds what `gw --help` needs and imports nothing
 * heavy: `run` imports the modules that do the work.
 *
 *     export default defineCommand<{ json?: boolean }, [spec: string | undefined]>({
 *       name: 'routes',
 *       group: 'Check',
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

/** Tasks, in the order in which `gw --help` lists them. */
export const GROUPS = ['Write a spec', 'Check', 'Run', 'Watch', 'Tools'] as const;
export type CommandGroup = (typeof GROUPS)[number];

export interface CommandContext<Options, Args extends readonly unknown[]> {
  /** Positional arguments as commander gives them: undefined for an omitted one, an array for `[name...]`. */
  readonly args: Args;
  readonly options: Options;
  readonly io: Io;
  /** The whole command line: completion scripts are generated from it. */
  readonly program: Commander;
}

export interface CommandSpec<Options, Args extends readonly unknown[]> {
  /** Equal to the file's name. */
  readonly name: string;
  /** The task it belongs to in `gw --help`. Without one, help and completion leave the command out. */
  readonly group?: CommandGroup;
  /** One line for `gw --help`, no full stop. */
  readonly summary: string;
  /** More for the command's own help, which wraps it at the width of the terminal. */
  readonly details?: string;
  /** At least one: a command line and what it does. Each line of help fits 80 columns. */
  readonly examples: readonly (readonly [line: string, meaning: string])[];
  /** Declares arguments and options. */
  configure(command: Commander): void;
  /** Does the work; returns the exit code. Throws CommandError to end with a message. */
  run(context: CommandContext<Options, Args>): Promise<number>;
}

/** A command without the types of its options: what main registers. */
export interface Command {
  readonly name: string;
  readonly group: CommandGroup | undefined;
  /** Adds the command to the program. */
  register(program: Commander, host: CommandHost): void;
}

export interface CommandHost {
  io(): Io;
  exit(code: number): void;
}

/** Gives a command its types: `run` gets typed options and arguments. */
export function defineCommand<Options extends object, Args extends readonly unknown[] = []>(
  spec: CommandSpec<Options, Args>,
): Command {
  return {
    name: spec.name,
    group: spec.group,
    register(program, host) {
      const command = program.command(spec.name, { hidden: spec.group === undefined }).summary(spec.summary);
      if (spec.group !== undefined) command.helpGroup(`${spec.group}:`);
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

/** If a meaning does not fit beside its line, meanings are printed above the lines. */
function examplesText(examples: CommandSpec<object, []>['examples']): string {
  const width = Math.max(...examples.map(([line]) => line.length));
  const beside = examples.every(([, meaning]) => width + meaning.length + EXAMPLE_MARKS.length <= HELP_COLUMNS);
  const lines = examples.map(([line, meaning]) =>
    beside ? `  $ ${line.padEnd(width)}   # ${meaning}` : `  # ${meaning}\n  $ ${line}`,
  );
  return `\nExample${examples.length > 1 ? 's' : ''}:\n${lines.join('\n')}`;
}

const EXAMPLE_MARKS = '  $    # ';
/** Help that is not for a terminal has this width. */
export const HELP_COLUMNS = 80;

export const SPEC_HELP = 'the spec, its folder, or - for standard input (default: the nearest gateway.toml)';
export const SPEC_OR_BUNDLE_HELP =
  'the spec, its folder, a bundle, or - for standard input (default: the nearest gateway.toml)';
export const JSON_HELP = 'print JSON, errors included';

/** Collects a repeatable option: `--overlay a.toml --overlay b.toml`. */
export const gather = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

/** Adds the option of every command that reads a spec. */
export function withOverlays(command: Commander): Commander {
  return command.option('--overlay <file>', 'merge this file over the spec (repeatable; later files win)', gather);
}

export interface SpecOptions {
  readonly overlay?: readonly string[];
}
