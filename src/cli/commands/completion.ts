import { Argument } from 'commander';
import { defineCommand } from '../command.js';
import { EXIT } from '../exit-codes.js';

type Shell = 'bash' | 'zsh' | 'fish';

export default defineCommand<object, [shell: Shell]>({
  name: 'completion',
  group: 'Tools',
  summary: 'Print a completion script for a shell',
  details:
    'The script completes commands, options and their values, spec files, and names from the spec: routes, listeners, paths.',
  examples: [
    ['source <(gw completion bash)', 'for this bash session; for all sessions, add the line to ~/.bashrc'],
    ['source <(gw completion zsh)', 'for zsh, after compinit'],
    ['gw completion fish > ~/.config/fish/completions/gw.fish', 'for fish'],
  ],
  configure(command) {
    command.addArgument(new Argument('<shell>', 'which shell').choices(['bash', 'zsh', 'fish']));
  },
  async run({ args: [shell], io, program }) {
    const { programNode } = await import('../completion/tree.js');
    const node = programNode(program);
    if (shell === 'bash') io.write((await import('../completion/bash.js')).bashScript(node));
    if (shell === 'zsh') io.write((await import('../completion/zsh.js')).zshScript(node));
    if (shell === 'fish') io.write((await import('../completion/fish.js')).fishScript(node));
    return EXIT.ok;
  },
});
