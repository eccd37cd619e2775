import { defineCommand, JSON_HELP } from '../command.js';
import { EXIT } from '../exit-codes.js';

export default defineCommand<{ readonly json?: boolean }>({
  name: 'version',
  group: 'Tools',
  summary: 'Print the versions of gw, Node and the bundle format',
  details: 'A gw reads bundles of its own format only; an upgrade that changes the format needs a new `gw compile`.',
  examples: [
    ['gw version', 'for a bug report'],
    ['gw --version', 'the version of gw alone'],
  ],
  configure: (command) => {
    command.option('--json', JSON_HELP);
  },
  async run({ options, io }) {
    const { BUNDLE_FORMAT } = await import('../../bundle/types.js');
    const { gwVersion } = await import('../../version.js');
    const node = process.versions.node;
    if (options.json) io.json({ version: 1, gw: gwVersion(), node, bundleFormat: BUNDLE_FORMAT });
    else io.write(`gw ${gwVersion()}\nNode ${node}\nbundle format ${BUNDLE_FORMAT}\n`);
    return EXIT.ok;
  },
});
