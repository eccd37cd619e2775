import { BEGINNINGS, type Completes, type OptionNode, type ProgramNode } from './tree.js';

/** A bash completion script; needs bash 3.2 or newer and no other package. */
export function bashScript(program: ProgramNode): string {
  const { name } = program;
  return `# bash completion for ${name}. Load it with: source <(${name} completion bash)
${pathsFunction(name)}
${valuesFunction(name)}
${mainFunction(program)}complete -F _${name} ${name}
`;
}

/** Completes paths. Called with their kind, the action of compgen for them, and the word so far. */
const pathsFunction = (name: string): string => `_${name}_paths() {
  COMPREPLY=()
  local entry
  while IFS= read -r entry; do
    if [ "$1" = specs ] && [ ! -d "$entry" ]; then case "$entry" in *.toml | *.bundle) ;; *) continue ;; esac; fi
    COMPREPLY+=("$entry")
  done < <(compgen "$2" -- "$3")
  # Quotes names with spaces, and ends folders with a slash.
  compopt -o filenames 2>/dev/null
}
`;

/**
 * Completes values that gw prints. Called with their kind and the word so far. \`compgen -W\` would run what a name in the
 * spec holds in \`$(...)\`, so the values are compared here. No space follows a beginning.
 */
const valuesFunction = (name: string): string => `_${name}_values() {
  COMPREPLY=()
  local entry
  while IFS= read -r entry; do
    if [[ $entry == "$2"* ]]; then printf -v entry %q "$entry"; COMPREPLY+=("$entry"); fi
  done < <("\${COMP_WORDS[0]}" complete "$1" -- "\${COMP_WORDS[@]}" 2>/dev/null)
  case $1 in ${BEGINNINGS.join(' | ')}) compopt -o nospace 2>/dev/null ;; esac
}
`;

function mainFunction({ name, commands, options }: ProgramNode): string {
  const valued = commands.flatMap((command) =>
    command.options.filter(({ value }) => value).map((option) => ({ command: command.name, option })),
  );
  const taking = valued.map(({ command, option }) => patternOf(command, option)).join(' | ');
  const values = valued.map(({ command, option }) => valueCase(command, option, name));
  const pairs = valued.filter(({ option }) => option.value?.completes.kind === 'pair');
  const files = pairs.map(
    ({ command, option }) => `    ${patternOf(command, option)}) _${name}_paths files -f "$current"; return ;;`,
  );
  const flags = commands.map((command) => flagsCase(command.name, command.options));
  const positions = commands.flatMap((command) =>
    command.args.map(({ variadic, completes }, index) => {
      return `    ${command.name}:${variadic ? '*' : index}) ${action(completes, name)} ;;`;
    }),
  );
  return `_${name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} command= position=0 index pair=
  # Bash splits --option=value into three words.
  if [ "$current" = = ]; then
    current= pair=\${COMP_WORDS[COMP_CWORD - 2]}
  elif [ "$previous" = = ]; then
    previous=\${COMP_WORDS[COMP_CWORD - 2]} pair=\${COMP_WORDS[COMP_CWORD - 3]}
  fi
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "$command:\${COMP_WORDS[index]}" in
${
  taking === ''
    ? ''
    : `      ${taking}) [ "\${COMP_WORDS[index + 1]}" = = ] || index=$((index + 1)) ;;
`
}      *:=) index=$((index + 1)) ;;
      *:-*) ;;
      *) if [ -z "$command" ]; then command=\${COMP_WORDS[index]}; else position=$((position + 1)); fi ;;
    esac
  done
  COMPREPLY=()
  case "$command:$previous" in
${values.join('\n')}
  esac
  # The part after the name of --option name=value.
  case "$command:$pair" in
${files.join('\n')}
  esac
  if [[ $current == -* ]]; then
    case "$command" in
${[flagsCase("''", options), ...flags].join('\n')}
    esac
    return
  fi
  case "$command:$position" in
    :*) COMPREPLY=($(compgen -W ${words(commands.map((command) => command.name))} -- "$current")) ;;
${positions.join('\n')}
  esac
}
`;
}

function flagsCase(pattern: string, options: readonly OptionNode[]): string {
  const flags = options.flatMap((option) => option.flags);
  return `      ${pattern}) COMPREPLY=($(compgen -W ${words(flags)} -- "$current")) ;;`;
}

const words = (list: readonly string[]): string => `'${list.join(' ')}'`;

function valueCase(command: string, option: OptionNode, name: string): string {
  const body = option.value ? action(option.value.completes, name) : ':';
  return `    ${patternOf(command, option)}) ${body}; return ;;`;
}

const patternOf = (command: string, option: OptionNode): string =>
  option.flags.map((flag) => `${command}:${flag}`).join(' | ');

function action(completes: Completes, name: string): string {
  switch (completes.kind) {
    case 'specs':
      return `_${name}_paths specs -f "$current"`;
    case 'files':
      return `_${name}_paths files -f "$current"`;
    case 'folders':
      return `_${name}_paths folders -d "$current"`;
    case 'words':
      return `COMPREPLY=($(compgen -W ${words(completes.words)} -- "$current"))`;
    case 'pair':
    case 'dynamic':
      return `_${name}_values ${completes.what} "$current"`;
    case 'anything':
      return ':';
  }
}
