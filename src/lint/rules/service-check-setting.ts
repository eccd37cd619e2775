import type { Rule } from '../rule.js';

/** Keys of `health` that only some types of checks use. */
const USED_BY: { readonly [key: string]: readonly string[] } = {
  path: ['http'],
  method: ['http'],
  statuses: ['http'],
  body: ['http'],
  host: ['http', 'grpc'],
  grpc_service: ['grpc'],
};

const rule: Rule = {
  code: 'service/check-setting',
  severity: 'warning',
  summary: 'A setting of health checks has no effect',
  partial: true,
  check(model, report) {
    for (const { at, config, name } of model.services) {
      if (config.health === undefined) continue;
      const { method, type } = config.health;
      for (const [key, types] of Object.entries(USED_BY)) {
        if (types.includes(type) || at.originOf('health', key).from === 'default') continue;
        report({
          span: at.spanOf('health', key),
          entity: `service.${name}`,
          message: `\`${key}\` has no effect on health checks of type \`${type}\`; only ${types.map((one) => `\`${one}\``).join(' and ')} checks use it.`,
          help: `Remove it, or set \`type\` to \`${types[0]}\`.`,
        });
      }
      if (type === 'http' && method === 'HEAD' && config.health.body !== undefined)
        report({
          span: at.spanOf('health', 'body'),
          entity: `service.${name}`,
          message: 'A reply to HEAD has no body, so these checks always fail.',
          help: 'Remove `body`, or use the method `GET`.',
        });
    }
  },
};
export default rule;
