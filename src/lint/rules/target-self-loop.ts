import { BoundEndpoints, endpointOf } from '../address.js';
import type { Rule } from '../rule.js';
import { targetsOf } from '../targets.js';

const rule: Rule = {
  code: 'target/self-loop',
  severity: 'error',
  summary: 'A target is a listener of this gateway',
  partial: true,
  check(model, report) {
    const endpoints = new BoundEndpoints();
    const bound = model.listeners.filter(({ config }) => {
      const endpoint = endpointOf(config.address);
      if (endpoint) endpoints.add(endpoint);
      return endpoint !== undefined;
    });
    for (const service of model.services) {
      for (const { endpoint, span } of targetsOf(service)) {
        const number = endpoints.reachedBy(endpoint);
        const listener = number === undefined ? undefined : bound[number];
        if (!listener) continue;
        report({
          span,
          entity: `service.${service.name}`,
          message: `This target is the gateway itself: requests to service \`${service.name}\` would return to listener \`${listener.name}\` in an endless loop.`,
          related: [{ span: listener.at.spanOf('address'), message: `\`${listener.name}\` listens on this address` }],
          help: 'Write the address of the service, or change one of the two ports.',
        });
      }
    }
  },
};
export default rule;
