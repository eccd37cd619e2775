/** Config of the authzen policy. */
import { callUrl, fieldProblem, type Infer, s } from '../compile-kit.js';
import type { Json, TemplateEntry } from '../contract.js';

type Value = string | boolean | number;
const values = () =>
  s.map(
    s.either<Value>(
      { kinds: ['string'], schema: s.string() },
      { kinds: ['boolean'], schema: s.boolean() },
      { kinds: ['integer'], schema: s.integer({ min: Number.MIN_SAFE_INTEGER }) },
    ),
  );
const template = (what: string, example: string) => s.string({ nonEmpty: true }).describe(what, example);
const properties = () =>
  values()
    .describe('Further facts, each a template, a number or a boolean.', { department: '{claims.department}' })
    .default({});

const entity = (type: string, id: string) =>
  s.object({
    type: template('Type.', type),
    id: template('Identifier: a template. If it is empty for a request, the request is refused.', id),
    properties: properties(),
  });
const action = () => s.object({ name: template('Name: a template.', 'can_read'), properties: properties() });

const facts = {
  subject: entity('user', '{claims.sub}').describe('Who wants to do something. Default: the consumer.').optional(),
  action: action().describe('What it wants to do. Default: the method.').optional(),
  resource: entity('order', '{id}').describe('What it wants to do it with. Default: the path.').optional(),
  context: values().describe('Facts about the request.', { ip: '{client.ip}' }).optional(),
};

const check = s.object({
  name: s
    .string({ pattern: /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, expected: 'a name of letters, digits, `.`, `_` and `-`' })
    .describe('Name of the check, for the access log and `gw explain`. Default: its number.', 'owner')
    .optional(),
  ...facts,
});

export const schema = s.object({
  url: callUrl()
    .describe(
      'URL of the policy decision point. It becomes a service with the default settings.',
      'https://pdp.example.com',
    )
    .optional(),
  service: s.string({ nonEmpty: true }).describe('Name of its service, instead of `url`.', 'pdp').optional(),
  metadata: s
    .boolean()
    .describe('Ask the policy decision point for its endpoints, at `/.well-known/authzen-configuration`. Needs `url`.')
    .default(false),
  evaluation: s
    .string({ pattern: /^\/[\x21-\x22\x24-\x7e]*$/, expected: 'a path' })
    .describe('Path of the endpoint for one check, behind the path of `url`.')
    .default('/access/v1/evaluation'),
  evaluations: s
    .string({ pattern: /^\/[\x21-\x22\x24-\x7e]*$/, expected: 'a path' })
    .describe('Path of the endpoint for several checks.')
    .default('/access/v1/evaluations'),
  headers: s
    .map(s.reference('a field value', undefined, { sensitive: true }), fieldProblem)
    .describe('Fields of the requests to it, with references to credentials.', {
      authorization: 'Bearer ${env:PDP_TOKEN}',
    })
    .default({}),
  ...facts,
  checks: s
    .array(check)
    .describe('Several checks in one request to it. What a check does not say, the keys above say.')
    .default([]),
  permit: s.enum('all', 'any').describe('Whether all checks must be permitted, or one of them.').default('all'),
  obligations: s
    .array(s.string({ nonEmpty: true }))
    .describe('Obligations of a decision that may be ignored. Any other one denies the request.')
    .default([]),
  timeout: s.duration({ min: 1 }).describe('Time limit for a decision.').default(3000),
  max_answer: s
    .size({ min: 64, max: 16 * 1024 ** 2 })
    .describe('Largest answer.')
    .default(256 * 1024),
  cache: s
    .object({
      ttl: s.duration({ min: 1 }).describe('How long a decision is kept, unless its Cache-Control says less.'),
    })
    .describe('Keep decisions, for requests about the same.')
    .optional(),
});

export type AuthzenConfig = Infer<typeof schema>;
export type FactsConfig = Pick<AuthzenConfig, 'subject' | 'action' | 'resource' | 'context'>;

/** A value of the API: text of a template, or what it is. */
export type ValueEntry = TemplateEntry | boolean | number;
/** Members of an object of the API, in order. */
export type MembersEntry = readonly (readonly [name: string, value: ValueEntry | { readonly of: MembersEntry }])[];

export type FactsEntry = {
  readonly subject?: MembersEntry;
  readonly action?: MembersEntry;
  readonly resource?: MembersEntry;
  readonly context?: MembersEntry;
};

export type AuthzenSettings = {
  readonly service: string;
  /** URL of the policy decision point, if its endpoints are asked for. */
  readonly identifier?: string;
  readonly metadataPath?: string;
  readonly evaluation: string;
  readonly evaluations: string;
  readonly headers: readonly (readonly [name: string, value: string | { readonly $ref: string }])[];
  readonly facts: FactsEntry;
  readonly checks: readonly { readonly name: string; readonly facts: FactsEntry }[];
  readonly permit: 'all' | 'any';
  readonly obligations: readonly string[];
  readonly timeout: number;
  readonly maxAnswer: number;
  readonly ttl?: number;
} & Json;
