import { defineCommand } from '../command.js';
import { failed, usage } from '../exit.js';

interface DashFlags {
  readonly address?: string;
  readonly once?: boolean;
  readonly json?: boolean;
  readonly ascii?: boolean;
}

export default defineCommand<DashFlags>({
  name: 'dash',
  summary: 'Watch traffic, limits, targets and reloads in the terminal',
  details:
    "Finds a running gateway by itself: the one of this folder's gateway.toml, else the only one on this machine,\n" +
    'else it asks which. Press ? in it for the keys.',
  examples: [
    ['gw dash', 'the gateway that runs here'],
    ['gw dash --once --json', 'one snapshot for a program'],
    ['GW_ADMIN_TOKEN=... gw dash --address http://10.0.0.5:9901', 'a gateway elsewhere'],
  ],
  configure: (command) => {
    command
      .option('--address <where>', 'admin API: path of a unix socket, or http://host:port (token in GW_ADMIN_TOKEN)')
      .option('--once', 'print one snapshot and end')
      .option('--json', 'with --once: print JSON for programs')
      .option('--ascii', 'draw with ASCII only (by itself where the locale is not UTF-8)');
  },
  async run({ options, io }) {
    const { dash, DashError } = await import('../../dashboard/index.js');
    try {
      const { address, once, json, ascii } = options;
      // `--no-color` and NO_COLOR come as one here.
      const env = io.color ? io.env : { ...io.env, NO_COLOR: '1' };
      return await dash({ address, once, json, ascii, env, cwd: io.cwd, stdin: process.stdin, stdout: io.stdout });
    } catch (error) {
      if (error instanceof DashError) throw error.kind === 'usage' ? usage(error.message) : failed(error.message);
      throw error;
    }
  },
});
