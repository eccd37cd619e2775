import type { Completes, OptionNode, ProgramNode } from './tree.js';

/** A bash completion script; needs bash 3.2 or newer and no other package. */
export function bashScript(program: ProgramNode): string {
  const { name } = program;
  const commands = program.commands;
  return `# bash completion for ${name}. Load it with: source <(${name} completion bash)
_${name}_specs() {
  COMPREPLY=()
  local entry
  while IFS= read -r entry; do
    if [ -d "$entry" ]; then COMPREPLY+=("$entry/"); else case "$entry" in *.toml | *.bundle) COMPREPLY+=("$entry") ;; esac; fi
  done < <(compgen -f -- "$1")
  case "\${COMPREPLY[*]}" in */) compopt -o nospace 2>/dev/null ;; esac
}

_${name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} command= position=0 index
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "\${COMP_WORDS[index]}" in
      -*) ;;
      *) if [ -z "$command" ]; then command=\${COMP_WORDS[index]}; else position=$((position + 1)); fi ;;
    esac
  done
  COMPREPLY=()
  case "$command:$previous" in
${commands.flatMap((command) => command.options.filter((option) => option.value).map((option) => valueCase(command.name, option, name))).join('\n')}
  esac
  if [[ $current == -* ]]; then
    case "$command" in
      '') COMPREPLY=($(compgen -W ${words(flagsOf(program.options))} -- "$current")) ;;
${commands.map((command) => `      ${command.name}) COMPREPLY=($(compgen -W ${words(flagsOf(command.options))} -- "$current")) ;;`).join('\n')}
    esac
    return
  fi
  case "$command:$position" in
    :*) COMPREPLY=($(compgen -W ${words(commands.map((command) => command.name))} -- "$current")) ;;
${commands.flatMap((command) => command.args.map((argument, index) => `    ${command.name}:${argument.variadic ? '*' : index}) ${action(argument.completes, name)} ;;`)).join('\n')}
  esac
}
complete -F _${name} ${name}
`;
}

const flagsOf = (options: readonly OptionNode[]): string[] => options.flatMap((option) => option.flags);

const words = (list: readonly string[]): string => `'${list.join(' ')}'`;

function valueCase(command: string, option: OptionNode, name: string): string {
  const pattern = option.flags.map((flag) => `${command}:${flag}`).join(' | ');
  const body = option.value ? action(option.value.completes, name) : ':';
  return `    ${pattern}) ${body}; return ;;`;
}

function action(completes: Completes, name: string): string {
  switch (completes.kind) {
    case 'specs':
      return `_${name}_specs "$current"`;
    case 'files':
      return 'COMPREPLY=($(compgen -f -- "$current"))';
    case 'folders':
      return 'COMPREPLY=($(compgen -d -- "$current"))';
    case 'words':
      return `COMPREPLY=($(compgen -W ${words(completes.words)} -- "$current"))`;
    case 'anything':
      return ':';
  }
}
