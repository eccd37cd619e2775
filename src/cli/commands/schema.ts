import { defineCommand } from '../command.js';
import { EXIT } from '../exit-codes.js';

export default defineCommand<{ readonly reference?: boolean; readonly fragment?: boolean }>({
  name: 'schema',
  group: 'Write a spec',
  summary: 'Print the JSON Schema of specs, for editors',
  details:
    'Editors with Taplo complete and check a spec whose first line is `#:schema ./gateway.schema.json`. `gw init` writes the line and the schema.',
  examples: [
    ['gw schema > gateway.schema.json', 'the schema of this version, next to your spec'],
    [
      'gw schema --fragment > gateway.fragment.schema.json',
      'for included files and overlays, where no key is required',
    ],
    ['gw schema --reference > reference.md', 'the reference of all keys, as Markdown'],
  ],
  configure(command) {
    command
      .option('--fragment', 'the schema of an included file or an overlay')
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
