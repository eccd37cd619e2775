import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'listener/unix-tls',
  severity: 'error',
  summary: 'A listener on a unix socket cannot use TLS or redirect',
  partial: true,
  check(model, report) {
    for (const { name, config, at } of model.listeners) {
      const { address, redirect, tls } = config;
      if (typeof address !== 'string' || !address.startsWith('unix:')) continue;
      const key = tls === undefined ? 'redirect' : 'tls';
      if (tls === undefined && redirect === undefined) continue;
      report({
        span: at.spanOf(key),
        entity: `listener.${name}`,
        message: `Listener \`${name}\` is a unix socket, whose clients are programs of this machine: \`${key}\` has no use there.`,
        help: `Remove \`${key}\`. The permissions of the file (\`socket_mode\`) say who may connect.`,
      });
    }
  },
};
export default rule;
