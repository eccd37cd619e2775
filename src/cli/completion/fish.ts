import type { CommandNode, Completes, OptionNode, ProgramNode } from './tree.js';

/** A fish completion script, for ~/.config/fish/completions/gw.fish or `gw completion fish | source`. */
export function fishScript(program: ProgramNode): string {
  const { name } = program;
  const lines = [
    `# fish completion for ${name}. Load it with: ${name} completion fish | source`,
    `complete -c ${name} -f`,
    ...program.options.map((option) => `complete -c ${name} -n __fish_use_subcommand ${optionWords(option, name)}`),
    ...program.commands.flatMap((command) => commandLines(name, command)),
  ];
  return `${lines.join('\n')}\n`;
}

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

function commandLines(name: string, command: CommandNode): string[] {
  const seen = `-n '__fish_seen_subcommand_from ${command.name}'`;
  return [
    `complete -c ${name} -n __fish_use_subcommand -a ${command.name} -d ${quoted(command.doc)}`,
    ...command.options.map((option) => `complete -c ${name} ${seen} ${optionWords(option, name)}`),
    ...command.args
      .map((argument) => valueWords(argument.completes, name))
      .filter((words) => words !== '')
      .map((words) => `complete -c ${name} ${seen} ${words}`),
  ];
}

function optionWords(option: OptionNode, name: string): string {
  const flags = option.flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  const value = option.value ? `-r ${valueWords(option.value.completes, name)}` : '';
  return [...flags, value, `-d ${quoted(option.doc)}`].filter((word) => word !== '').join(' ');
}

function valueWords(completes: Completes, name: string): string {
  switch (completes.kind) {
    case 'specs':
      return `-k -a '(__fish_complete_suffix .toml)'`;
    case 'files':
      return '-F';
    case 'folders':
      return `-a '(__fish_complete_directories)'`;
    case 'words':
      return `-a ${quoted(completes.words.join(' '))}`;
    case 'dynamic':
      return `-a '(${name} complete ${completes.what} -- (commandline -opc) 2>/dev/null)'`;
    case 'pair':
      // fish completes the path after the equals sign.
      return `-F ${valueWords({ kind: 'dynamic', what: completes.what }, name)}`;
    case 'anything':
      return '';
  }
}
