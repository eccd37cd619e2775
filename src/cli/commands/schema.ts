import { defineCommand } from '../command.js';
import { EXIT } from '../exit.js';

export default defineCommand<{ readonly reference?: boolean; readonly fragment?: boolean }>({
  name: 'schema',
  summary: "Print the spec's JSON Schema, for editors",
  details:
    'Editors that know Taplo complete and check a spec whose first line is `#:schema ./gateway.schema.json`.\n`gw init` writes both.',
  examples: [
    ['gw schema > gateway.schema.json', 'the schema of this version, beside your spec'],
    ['gw schema --fragment > gateway.fragment.schema.json', 'for included files and overlays: nothing is required'],
    ['gw schema --reference > reference.md', 'every key with its meaning, as Markdown'],
  ],
  configure(command) {
    command
      .option('--fragment', 'of a file that a spec includes, or that is laid over one')
      .option('--reference', 'print the reference as Markdown instead');
  },
  async run({ options, io }) {
    if (options.reference) {
      const { referencePage } = await import('../../spec/reference.js');
      io.write(referencePage());
    } else {
      const { specJsonSchema } = await import('../../spec/json-schema.js');
      io.write(`${JSON.stringify(specJsonSchema({ fragment: options.fragment === true }), null, 2)}\n`);
    }
    return EXIT.ok;
  },
});
