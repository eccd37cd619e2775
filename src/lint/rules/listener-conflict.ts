import type { Span } from '../../schema/diagnostic.js';
import { BoundEndpoints, type Endpoint, endpointOf } from '../address.js';
import type { Rule } from '../rule.js';

const capitalized = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const rule: Rule = {
  code: 'listener/conflict',
  severity: 'error',
  summary: 'Two addresses cannot be bound at the same time',
  partial: true,
  check(model, report) {
    const bound: { name: string; endpoint: Endpoint; span: Span }[] = [];
    const endpoints = new BoundEndpoints();
    const places = model.listeners.map(({ name, config, at }) => ({
      name: `listener \`${name}\``,
      entity: `listener.${name}`,
      address: config.address,
      span: at.spanOf('address'),
    }));
    if (model.admin.address !== undefined) {
      const span = model.at.spanOf('admin', 'address');
      places.push({ name: 'the admin API', entity: 'admin', address: model.admin.address, span });
    }
    for (const { name, entity, address, span } of places) {
      const endpoint = endpointOf(address);
      if (!endpoint) continue;
      const number = endpoints.colliding(endpoint);
      endpoints.add(endpoint);
      bound.push({ name, endpoint, span });
      const other = number === undefined ? undefined : bound[number];
      if (!other) continue;
      const why =
        other.endpoint.host === endpoint.host
          ? 'the addresses are the same'
          : 'one of them binds the port on all interfaces';
      report({
        span,
        entity,
        message: `${capitalized(name)} and ${other.name} cannot both bind: ${why}.`,
        related: [{ span: other.span, message: `${other.name} binds here` }],
        help: 'Change the port of one of them.',
      });
    }
  },
};
export default rule;
