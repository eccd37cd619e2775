/** Config of the plan policy. */
import { type Infer, s } from '../compile-kit.js';

export const schema = s.object({
  default: s
    .string({ nonEmpty: true })
    .describe(
      'Plan of consumers without one. Requests without a consumer have it too, counted by their address. Default: both get 403.',
      'free',
    )
    .optional(),
  fields: s.boolean().describe('Send `RateLimit` and `RateLimit-Policy` fields to clients.').default(true),
});

export type PlanPolicyConfig = Infer<typeof schema>;

export type PlanPolicySettings = {
  readonly default?: string;
  readonly fields: boolean;
};
