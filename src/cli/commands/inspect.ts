import { defineCommand } from '../command.js';
import { EXIT } from '../exit.js';

interface Options {
  readonly verify?: string;
}

export default defineCommand<Options, [bundle: string]>({
  name: 'inspect',
  summary: 'Print a bundle as JSON: its program, its trie in numbers, its signature',
  details: 'The bundle is verified first: format, lengths, sha256, bounds; with --verify also who signed it.',
  examples: [
    ['gw inspect gateway.bundle', 'all of it'],
    ["gw inspect gateway.bundle | jq '.program.routes[].name'", 'a part'],
    ['gw inspect gateway.bundle --verify public.pem', 'fails unless that key signed it'],
  ],
  configure(command) {
    command.argument('<bundle>', 'a file that gw compile wrote');
    command.option('--verify <file>', 'the ed25519 public key (PEM) that must have signed it');
  },
  async run({ args: [file], options, io }) {
    const { readBundle, readInput } = await import('../source.js');
    const { isSigned } = await import('../../bundle/encode.js');
    const { Trie } = await import('../../bundle/trie/trie.js');
    const key =
      options.verify === undefined ? undefined : Buffer.from(readInput(io, options.verify, 'secret')).toString('utf8');
    const bytes = readInput(io, file, 'bundle');
    const { format, sha256, program, trie: buffer } = await readBundle(io, file, key);
    const trie = Trie.open(buffer, { verified: true });
    io.json({
      version: 1,
      file,
      bytes: bytes.length,
      format,
      sha256,
      signature: key === undefined ? (isSigned(bytes) ? 'present' : 'none') : 'verified',
      trie: {
        bytes: buffer.byteLength,
        routes: trie.routeCount,
        nodes: trie.nodeCount,
        depth: trie.depth,
        patterns: trie.dfaCount,
      },
      program,
    });
    return EXIT.ok;
  },
});
