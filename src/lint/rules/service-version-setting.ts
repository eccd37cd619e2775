import type { Rule } from '../rule.js';

/** Keys of a service that only one version of HTTP to its targets uses. */
const USED_BY = { pipelining: 'http/1.1', max_streams: 'h2' } as const;

const rule: Rule = {
  code: 'service/version-setting',
  severity: 'warning',
  summary: 'A setting of a service belongs to another version of HTTP',
  partial: true,
  check(model, report) {
    for (const { at, config, name } of model.services) {
      for (const key of ['pipelining', 'max_streams'] as const) {
        if (config.protocol === USED_BY[key] || at.originOf(key).from === 'default') continue;
        const uses =
          key === 'pipelining'
            ? 'the requests of a connection of HTTP/2 are streams'
            : 'a connection of HTTP/1.1 has no streams';
        report({
          span: at.spanOf(key),
          entity: `service.${name}`,
          message: `\`${key}\` has no effect on service \`${name}\`: its protocol is \`${config.protocol}\`, and ${uses}.`,
          help:
            key === 'pipelining'
              ? 'Remove it; `max_streams` says how many requests share a connection of HTTP/2.'
              : 'Remove it, or set `protocol = "h2"`.',
        });
      }
    }
  },
};
export default rule;
