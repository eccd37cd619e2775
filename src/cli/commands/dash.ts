import { defineCommand } from '../command.js';
import { failed, usage } from '../exit-codes.js';

interface DashFlags {
  readonly address?: string;
  readonly once?: boolean;
  readonly json?: boolean;
  readonly ascii?: boolean;
}

export default defineCommand<DashFlags>({
  name: 'dash',
  group: 'Watch',
  summary: 'Watch traffic, limits, targets and reloads in the terminal',
  details:
    "Shows the gateway that runs this folder's gateway.toml, or else the only one on this machine. If there are several, it asks which. Press ? for the keys.",
  examples: [
    ['gw dash', 'the gateway of this folder'],
    ['gw dash --once --json', 'one snapshot for a program'],
    ['GW_ADMIN_TOKEN=... gw dash --address http://10.0.0.5:9901', 'a gateway on another machine'],
  ],
  configure: (command) => {
    command
      .option('--address <where>', 'admin API: path of a unix socket, or http://host:port (token in GW_ADMIN_TOKEN)')
      .option('--once', 'print one snapshot and exit')
      .option('--json', 'with --once: print JSON, errors included')
      .option('--ascii', 'draw with ASCII only (the default if the locale is not UTF-8)');
  },
  async run({ options, io }) {
    const { dash, DashError } = await import('../../dashboard/index.js');
    try {
      const { address, once, json, ascii } = options;
      // The dashboard reads the choice of colour from the environment.
      const env = io.color ? io.env : { ...io.env, NO_COLOR: '1' };
      return await dash({ address, once, json, ascii, env, cwd: io.cwd, stdin: process.stdin, stdout: io.stdout });
    } catch (error) {
      if (!(error instanceof DashError)) throw error;
      const message = `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}`;
      throw error.kind === 'usage' ? usage(message) : failed(message);
    }
  },
});
