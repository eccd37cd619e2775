/** Config of the basic policy. */
import { type Infer, plainText, s } from '../compile-kit.js';
import type { LimitRate } from '../contract.js';

/** Failed attempts for one user name, if the spec sets no rate. */
export const ATTEMPTS: LimitRate = { capacity: 20, periodMs: 60_000 };

export const schema = s.object({
  users: s
    .either<readonly string[]>(
      { kinds: ['string'], schema: s.mapped(s.string({ nonEmpty: true }), (path): readonly string[] => [path]) },
      { kinds: ['array'], schema: s.array(s.string({ nonEmpty: true }), { min: 1 }) },
    )
    .describe(
      'htpasswd files with users and hashes of their passwords: a path or a list. Relative to the folder of the root spec.',
      'users.htpasswd',
    )
    .optional(),
  consumers: s
    .boolean()
    .describe('Also accept the user names and passwords among the credentials of consumers.')
    .default(true),
  attempts: s
    .either<LimitRate | false>(
      { kinds: ['boolean'], schema: s.mapped(s.boolean(), (limited) => limited && ATTEMPTS) },
      { kinds: ['string'], schema: s.rate() },
    )
    .describe(
      'Rate of failed attempts for one user name above which addresses that this user has not logged in from may try only three times an hour; `false`: no limit. Default: `20/min`.',
      '20/min',
    )
    .optional(),
  optional: s
    .boolean()
    .describe('Let requests without credentials pass, without a consumer. Wrong ones still get 401.')
    .default(false),
  realm: plainText().describe('Realm in the `WWW-Authenticate` field of a 401: browsers show it.').default('api'),
});

export type BasicConfig = Infer<typeof schema>;

export type BasicSettings = {
  /** `NAME:HASH` and a line feed for each user, sorted: one text takes less memory in each worker than an object. */
  readonly users: string;
  /** The cost of each hash, as costOf() writes it, and how many users have it. */
  readonly costs: { readonly [cost: string]: number };
  /** Accept passwords of consumers. */
  readonly consumers: boolean;
  /** One of the hashes: it decides which cost an unknown user has. */
  readonly mark: string;
  /** Null: no limit. */
  readonly attempts: { readonly capacity: number; readonly periodMs: number } | null;
  readonly optional: boolean;
  readonly realm: string;
};
