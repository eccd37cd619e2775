import { Argument } from 'commander';
import { defineCommand } from '../command.js';
import { EXIT } from '../exit.js';

type Shell = 'bash' | 'zsh' | 'fish';

export default defineCommand<object, [shell: Shell]>({
  name: 'completion',
  group: 'Tools',
  summary: 'Print a completion script for a shell',
  details: 'The script completes commands, options, their values, and spec files.',
  examples: [
    ['source <(gw completion bash)', 'for this bash session; put the line into ~/.bashrc for every one'],
    ['source <(gw completion zsh)', 'the same for zsh, after compinit'],
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
