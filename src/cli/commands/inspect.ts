import { defineCommand } from '../command.js';
import { EXIT } from '../exit-codes.js';

interface Options {
  readonly verify?: string;
  readonly json?: boolean;
}

export default defineCommand<Options, [bundle: string]>({
  name: 'inspect',
  group: 'Tools',
  summary: 'Print a bundle as JSON: program, size of the trie, signature',
  details:
    'The bundle is verified first: format, lengths, sha256 and bounds; with --verify also that this key signed it.',
  examples: [
    ['gw inspect gateway.bundle', 'the whole bundle'],
    ["gw inspect gateway.bundle | jq '.program.routes[].name'", 'a part of it'],
    ['gw inspect gateway.bundle --verify public.pem', 'fails unless this key signed it'],
  ],
  configure(command) {
    command.argument('<bundle>', 'a file that gw compile wrote, or - for standard input');
    command.option('--verify <file>', 'the ed25519 public key (PEM) that must have signed it');
    command.option('--json', 'print errors as JSON too');
  },
  async run({ args: [file], options, io }) {
    const { readInput } = await import('../files.js');
    const { decodedBundle, readBundleBytes } = await import('../spec.js');
    const { isSigned } = await import('../../bundle/encode.js');
    const { Trie } = await import('../../bundle/trie/trie.js');
    const key =
      options.verify === undefined ? undefined : Buffer.from(readInput(io, options.verify, 'secret')).toString('utf8');
    const bytes = await readBundleBytes(io, file);
    const { format, sha256, program, trie: buffer } = await decodedBundle(file, bytes, key);
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
