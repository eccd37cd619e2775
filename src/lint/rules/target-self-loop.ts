import { BoundEndpoints, endpointOf } from '../address.js';
import type { Rule } from '../rule.js';
import { targetsOf } from '../targets.js';

const rule: Rule = {
  code: 'target/self-loop',
  severity: 'error',
  summary: "A target that is the gateway's own listener",
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
          message: `This target is the gateway itself: a request to \`${service.name}\` would come back to the listener \`${listener.name}\`, round and round.`,
          related: [{ span: listener.at.spanOf('address'), message: `\`${listener.name}\` listens here` }],
          help: 'Write the address of the service, or let one of the two use another port.',
        });
      }
    }
  },
};
export default rule;
