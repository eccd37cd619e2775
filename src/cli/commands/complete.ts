import { Argument } from 'commander';
import { defineCommand } from '../command.js';
import { DYNAMIC, type Dynamic } from '../completion/tree.js';
import { EXIT } from '../exit-codes.js';

/** Hidden: completion scripts call it. After any error it prints nothing and ends with 0. */
export default defineCommand<object, [what: Dynamic, words: readonly string[]]>({
  name: 'complete',
  summary: 'Print values that complete a word',
  details: 'Completion scripts call it. WORDS are those of the command line: a spec or bundle among them is read.',
  examples: [['gw complete routes -- gw routes', 'the names of all routes']],
  configure(command) {
    command.addArgument(new Argument('<what>', 'which values').choices(DYNAMIC));
    command.argument('[words...]', 'the words of the command line');
  },
  async run({ args: [what, words], io }) {
    const { completions } = await import('../completion/values.js');
    for (const value of await completions(io, what, words)) io.line(value);
    return EXIT.ok;
  },
});
