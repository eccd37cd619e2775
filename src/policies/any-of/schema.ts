/** Config of the any-of policy. */
import { type Infer, s } from '../compile-kit.js';

export const schema = s.object({
  policies: s
    .array(s.string({ nonEmpty: true }), { min: 2 })
    .describe('Names of authenticating policies, in the order in which they are tried.', ['keys', 'tokens']),
  anonymous: s
    .string({ nonEmpty: true })
    .describe(
      'Name of the consumer for requests without any credential. Default: they get 401. A wrong credential is always refused.',
      'guest',
    )
    .optional(),
});

export type AnyOfConfig = Infer<typeof schema>;

export type AnyOfSettings = {
  readonly members: readonly string[];
  readonly anonymous?: string;
};
