/** The command line as completion scripts need it, taken from the commander program. */
import type { Argument, Command as Commander, Option } from 'commander';

/** Values that the shell asks `gw complete` for, because they come from the spec or from gw itself. */
export const DYNAMIC = ['routes', 'urls', 'listeners', 'codes', 'services', 'duties', 'consumers'] as const;
export type Dynamic = (typeof DYNAMIC)[number];
/** Beginnings of values, which no space follows: a path, `NAME=`. */
export const BEGINNINGS: readonly Dynamic[] = ['urls', 'services', 'duties'];

/** Possible values: files of some kind, a list of words, words that `gw complete` prints, or anything. */
export type Completes =
  | { readonly kind: 'specs' }
  | { readonly kind: 'files' }
  | { readonly kind: 'folders' }
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'dynamic'; readonly what: Dynamic }
  /** `NAME=FILE`. */
  | { readonly kind: 'pair'; readonly what: Dynamic }
  | { readonly kind: 'anything' };

export interface OptionNode {
  readonly flags: readonly string[];
  readonly doc: string;
  /** Undefined for a switch. */
  readonly value: { readonly name: string; readonly completes: Completes } | undefined;
}

export interface ArgumentNode {
  readonly name: string;
  readonly variadic: boolean;
  readonly completes: Completes;
}

export interface CommandNode {
  readonly name: string;
  readonly doc: string;
  readonly options: readonly OptionNode[];
  readonly args: readonly ArgumentNode[];
}

export interface ProgramNode {
  readonly name: string;
  readonly options: readonly OptionNode[];
  readonly commands: readonly CommandNode[];
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** By the name of an argument, or of an option's value. */
const BY_NAME: Readonly<Record<string, Completes>> = {
  spec: { kind: 'specs' },
  bundle: { kind: 'files' },
  file: { kind: 'files' },
  dir: { kind: 'folders' },
  method: { kind: 'words', words: METHODS },
  url: { kind: 'dynamic', what: 'urls' },
  listener: { kind: 'dynamic', what: 'listeners' },
  route: { kind: 'dynamic', what: 'routes' },
  code: { kind: 'dynamic', what: 'codes' },
  consumer: { kind: 'dynamic', what: 'consumers' },
  'policy=file': { kind: 'pair', what: 'duties' },
  'service=status[:file]': { kind: 'dynamic', what: 'services' },
};

export function programNode(program: Commander): ProgramNode {
  const help = program.createHelp();
  const everywhere = program.options.filter((option) => option.long !== '--version');
  return {
    name: program.name(),
    options: help.visibleOptions(program).map(optionNode),
    commands: help.visibleCommands(program).map((command) => ({
      name: command.name(),
      doc: command.summary() || command.description(),
      options: [...help.visibleOptions(command), ...everywhere].map(optionNode),
      args:
        command.name() === 'help'
          ? [{ name: 'command', variadic: false, completes: commandWords(help.visibleCommands(program)) }]
          : command.registeredArguments.map(argumentNode),
    })),
  };
}

function commandWords(commands: readonly Commander[]): Completes {
  return { kind: 'words', words: commands.map((command) => command.name()) };
}

function argumentNode(argument: Argument): ArgumentNode {
  const name = argument.name();
  return { name, variadic: argument.variadic, completes: completes(name, argument.argChoices) };
}

function optionNode(option: Option): OptionNode {
  const flags = [option.short, option.long].filter((flag) => flag !== undefined);
  if (!option.required && !option.optional) return { flags, doc: option.description, value: undefined };
  const name = /<(.+)>|\[(.+)\]/.exec(option.flags)?.slice(1).find(Boolean) ?? 'value';
  return { flags, doc: option.description, value: { name, completes: completes(name, option.argChoices) } };
}

function completes(name: string, choices: readonly string[] | undefined): Completes {
  if (choices) return { kind: 'words', words: choices };
  return BY_NAME[name] ?? { kind: 'anything' };
}
