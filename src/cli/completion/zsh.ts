import {
  type ArgumentNode,
  BEGINNINGS,
  type CommandNode,
  type Completes,
  type OptionNode,
  type ProgramNode,
} from './tree.js';

/** A zsh completion function for a file named `_gw` on $fpath; also works when sourced after compinit. */
export function zshScript(program: ProgramNode): string {
  const { name, commands } = program;
  return `#compdef ${name}
# zsh completion for ${name}. Load it with: source <(${name} completion zsh)
_${name}_values() {
  local -a values=("\${(@f)$(${name} complete $1 -- $words 2>/dev/null)}")
  case $1 in ${BEGINNINGS.join(' | ')}) compadd -S '' -a values ;; *) compadd -a values ;; esac
}
_${name}_pair() {
  if compset -P '*='; then _files; else _${name}_values $1; fi
}
_${name}() {
  local context state line
  typeset -A opt_args
  _arguments -C ${program.options.map((option) => optionSpec(option, name)).join(' ')} '1: :->command' '*:: :->arguments'
  case $state in
    command)
      local -a commands=(${commands.map((command) => quoted(`${colons(command.name)}:${command.doc}`)).join(' ')})
      _describe -t commands '${name} command' commands
      ;;
    arguments)
      case $words[1] in
${commands.map((command) => `        ${command.name}) _arguments -s ${specs(command, name)} ;;`).join('\n')}
      esac
      ;;
  esac
}
if [ "$funcstack[1]" = _${name} ]; then _${name} "$@"; else compdef _${name} ${name}; fi
`;
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
const colons = (text: string): string => text.replaceAll(':', '\\:');
const brackets = (text: string): string => text.replace(/[[\]:]/g, '\\$&');

function specs(command: CommandNode, name: string): string {
  return [
    ...command.options.map((option) => optionSpec(option, name)),
    ...command.args.map((argument) => argumentSpec(argument, name)),
  ].join(' ');
}

function optionSpec(option: OptionNode, name: string): string {
  const exclusive = option.flags.length > 1 ? `'(${option.flags.join(' ')})'` : '';
  const flags = option.flags.length > 1 ? `{${option.flags.join(',')}}` : (option.flags[0] ?? '');
  const value = option.value ? `:${colons(option.value.name)}:${action(option.value.completes, name)}` : '';
  return `${exclusive}${flags}${quoted(`[${brackets(option.doc)}]${value}`)}`;
}

function argumentSpec(argument: ArgumentNode, name: string): string {
  return quoted(`${argument.variadic ? '*' : ''}:${colons(argument.name)}:${action(argument.completes, name)}`);
}

function action(completes: Completes, name: string): string {
  switch (completes.kind) {
    case 'specs':
      return '_files -g "*.(toml|bundle)"';
    case 'files':
      return '_files';
    case 'folders':
      return '_files -/';
    case 'words':
      return `(${completes.words.join(' ')})`;
    case 'dynamic':
      // The space: _arguments adds no options of its own.
      return ` _${name}_values ${completes.what}`;
    case 'pair':
      return ` _${name}_pair ${completes.what}`;
    case 'anything':
      return '';
  }
}
