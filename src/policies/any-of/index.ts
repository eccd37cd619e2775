/** Compile part of any-of. */
import { declarePolicy } from '../compile-kit.js';
import { PROBLEMS } from './problems.js';
import { type AnyOfConfig, type AnyOfSettings, schema } from './schema.js';

export default declarePolicy<AnyOfConfig, AnyOfSettings>({
  use: 'any-of',
  summary: 'Accepts a request that one of several policies authenticates',
  phase: 'authenticate',
  stateful: false,
  schema,
  members: ({ policies }) => policies.map((name, index) => ({ name, at: ['policies', index] })),
  traits: ({ anonymous }) => (anonymous === undefined ? { authenticates: true } : { authenticates: false, anonymous }),
  problems: Object.values(PROBLEMS),
  codes: [
    {
      code: 'any-of/unknown-consumer',
      severity: 'error',
      summary: 'The anonymous consumer of an any-of policy is not declared',
    },
    { code: 'any-of/repeated', severity: 'warning', summary: 'An any-of policy lists a policy twice' },
  ],
  lint(config, context, report) {
    config.policies.forEach((name, index) => {
      if (config.policies.indexOf(name) === index) return;
      report({
        code: 'any-of/repeated',
        severity: 'warning',
        at: ['policies', index],
        message: `Policy \`${name}\` is listed twice; the second entry has no effect.`,
        help: 'Remove one of them.',
      });
    });
    const { anonymous } = config;
    if (anonymous === undefined || context.consumers.some(({ name }) => name === anonymous)) return;
    report({
      code: 'any-of/unknown-consumer',
      severity: 'error',
      at: ['anonymous'],
      message: `No consumer is named \`${anonymous}\`, so requests without a credential would have none.`,
      help: `Declare \`[consumer.${anonymous}]\`, or remove \`anonymous\`.`,
    });
  },
  compile: ({ policies, anonymous }) => ({
    ...(anonymous === undefined ? {} : { anonymous }),
    members: [...new Set(policies)],
  }),
});
