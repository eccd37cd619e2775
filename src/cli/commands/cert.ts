import { Argument } from 'commander';
import { defineCommand, JSON_HELP } from '../command.js';
import { EXIT } from '../exit-codes.js';

interface Options {
  readonly dir?: string;
  readonly ca?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

export default defineCommand<Options, [action: 'dev', names: string[]]>({
  name: 'cert',
  group: 'Tools',
  summary: 'Create a local CA and a certificate for development',
  details:
    'A development CA is created once for your account. The certificate that it issues is for localhost, 127.0.0.1 and ::1, or for the names given. Run it again at any time: a certificate that is valid for a month or longer stays, others are replaced, and a running gateway reads the new files. The output says how browsers and other clients get to trust the CA.\n\nFor servers on the internet, use a certificate of a public authority.',
  examples: [
    ['gw cert dev', 'certs/localhost.pem and certs/localhost-key.pem'],
    ['gw cert dev api.test "*.api.test"', 'for other names'],
    ['gw cert dev --dir /tmp/certs --ca /tmp/ca', 'with a CA of its own'],
  ],
  configure(command) {
    command.addArgument(new Argument('<action>', 'what to create').choices(['dev']));
    command.argument('[names...]', 'host names and IP addresses (default: localhost 127.0.0.1 ::1)');
    command.option('--dir <folder>', 'where the certificate goes (default: certs)');
    command.option('--ca <folder>', 'where the CA is kept (default: a folder of your account)');
    command.option('--force', 'replace a certificate that is still valid');
    command.option('--json', JSON_HELP);
  },
  async run({ args: [, names], options, io }) {
    const { devCertificate } = await import('../cert/dev.js');
    await devCertificate(io, names, options);
    return EXIT.ok;
  },
});
