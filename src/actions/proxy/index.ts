/** Compile part of proxy. */
import { declareAction } from '../../policies/compile-kit.js';
import { type ProxyConfig, schema, shorthand } from './schema.js';

export default declareAction<ProxyConfig, null>({
  use: 'proxy',
  key: 'to',
  summary: 'Forwards requests to a service',
  schema,
  shorthand,
  service: ({ service }) => ({ name: service, at: ['service'] }),
  // Targets of a service are alike, so it does not matter which one answers, and by what it was chosen.
  requestFacts: () => [],
  describe: ({ service }) => `forwards to ${service}`,
  compile: () => null,
});
