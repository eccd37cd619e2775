import type { Span } from '../../schema/diagnostic.js';
import { BoundEndpoints, type Endpoint, endpointOf } from '../address.js';
import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'listener/conflict',
  severity: 'error',
  summary: 'Two addresses that cannot be bound at the same time',
  partial: true,
  check(model, report) {
    const bound: { name: string; endpoint: Endpoint; span: Span }[] = [];
    const endpoints = new BoundEndpoints();
    const places = model.listeners.map(({ name, config, at }) => ({
      name: `the listener \`${name}\``,
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
          ? 'it is the same address'
          : "one of them takes the port on all interfaces, the other's included";
      report({
        span,
        entity,
        message: `${name.replace(/^t/, 'T')} cannot bind beside ${other.name}: ${why}.`,
        related: [{ span: other.span, message: `${other.name} binds here` }],
        help: 'Give one of them another port.',
      });
    }
  },
};
export default rule;
