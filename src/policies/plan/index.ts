/** Compile part of plan. */
import { declarePolicy } from '../compile-kit.js';
import { PROBLEMS } from './problems.js';
import { type PlanPolicyConfig, type PlanPolicySettings, schema } from './schema.js';

export default declarePolicy<PlanPolicyConfig, PlanPolicySettings>({
  use: 'plan',
  summary: 'Applies the plan of the consumer: its rates, its requests in progress, its routes',
  phase: 'limit',
  reserved: true,
  stateful: true,
  schema,
  // Counts belong to consumers, whatever their plans are now.
  stateKey: () => 'plan',
  traits: ({ default: name }) => ({
    limitsBy: 'consumer',
    rate: true,
    holds: true,
    appliesPlans: name === undefined ? {} : { default: name },
  }),
  problems: Object.values(PROBLEMS),
  codes: [{ code: 'plan/unknown-default', severity: 'error', summary: 'The default plan of a policy is not declared' }],
  lint({ default: name }, { plans }, report) {
    if (name === undefined || plans.includes(name)) return;
    report({
      code: 'plan/unknown-default',
      severity: 'error',
      at: ['default'],
      message: `No plan is named \`${name}\`, so callers without a plan could not be given it.`,
      help: `Declare \`[plan.${name}]\`, or remove \`default\`.`,
    });
  },
  compile: ({ default: name, fields }) => ({ ...(name === undefined ? {} : { default: name }), fields }),
});
