/** What a route or a group of them may hold: conditions, matches, replies of its own. */
import { isToken } from '../../field-syntax.js';
import { type Infer, s } from '../../schema/declare.js';

const conditionTable = s.object({
  present: s.boolean().describe('It is there, whatever its value.').optional(),
  absent: s.boolean().describe('It is not there.').optional(),
  equals: s.string().describe('It has this value.').optional(),
  one_of: s.array(s.string(), { min: 1 }).describe('It has one of these values.').optional(),
  prefix: s.string({ nonEmpty: true }).describe('Its value begins so.').optional(),
  matches: s.string({ nonEmpty: true }).describe('Its whole value matches this pattern.').optional(),
});
export type ConditionConfig = Infer<typeof conditionTable>;
const NO_CONDITION: ConditionConfig = {
  present: undefined,
  absent: undefined,
  equals: undefined,
  one_of: undefined,
  prefix: undefined,
  matches: undefined,
};

/** `x-beta = "1"` equals, `x-beta = true` present, `x-beta = false` absent, or a table with one test. */
export const condition = s.either<ConditionConfig>(
  { kinds: ['string'], schema: s.mapped(s.string(), (equals): ConditionConfig => ({ ...NO_CONDITION, equals })) },
  {
    kinds: ['boolean'],
    schema: s.mapped(
      s.boolean(),
      (on): ConditionConfig => (on ? { ...NO_CONDITION, present: true } : { ...NO_CONDITION, absent: true }),
    ),
  },
  { kinds: ['table'], schema: conditionTable },
);

export interface MatchConfig {
  readonly host: readonly string[] | undefined;
  readonly path: string;
  readonly methods: readonly string[];
  readonly headers: { readonly [name: string]: ConditionConfig };
  readonly query: { readonly [name: string]: ConditionConfig };
}

/** One host, or a list of them. */
const hosts = (doc: string) =>
  s
    .either<readonly string[]>(
      { kinds: ['string'], schema: s.mapped(s.string({ nonEmpty: true }), (host) => [host]) },
      { kinds: ['array'], schema: s.array(s.string({ nonEmpty: true }), { min: 1 }) },
    )
    .describe(doc);

/** Keys that routes and groups share; of listeners the innermost list counts. */
const reach = {
  listeners: s
    .array(s.string({ nonEmpty: true }), { min: 1 })
    .describe(
      'Names of the listeners that serve it: on any other listener it does not exist. Left out: those of the group around, else of `[defaults]`, else every listener.',
      ['public'],
    )
    .optional(),
  without: s
    .array(s.string({ nonEmpty: true }))
    .describe('Names of policies from `[defaults]` or from groups around that do not run here.', ['keys'])
    .default([]),
};

export const match = s.either<string | MatchConfig>(
  {
    kinds: ['string'],
    schema: s
      .string({ nonEmpty: true })
      .describe('`METHOD /path`, `GET,POST /path`, or `/path` for any method.', 'GET /orders/{id:int}'),
  },
  {
    kinds: ['table'],
    schema: s.object({
      host: hosts('`api.example.com` or `*.example.com`; several as a list.').optional(),
      path: s
        .string({ nonEmpty: true })
        .describe('Literals, `{name}`, `{id:int}`, `{id:uuid}`, `{slug:[a-z0-9-]+}`, a last `{rest...}`.'),
      methods: s
        .array(s.string({ nonEmpty: true, expected: 'a method in capitals' }))
        .describe('Methods in capitals; none: any method.', ['GET', 'HEAD'])
        .default([]),
      headers: s.map(condition).describe('Conditions on header fields.').default({}),
      query: s.map(condition).describe('Conditions on query parameters.').default({}),
    }),
  },
);

/** Fields that say how the message is framed: gw writes them itself. */
const FRAMING: ReadonlySet<string> = new Set([
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'upgrade',
]);

function fieldNameProblem(name: string): string | undefined {
  if (!isToken(name)) return `\`${name}\` is no name of a header field.`;
  return FRAMING.has(name.toLowerCase()) ? `gw itself writes \`${name}\`, from the body.` : undefined;
}

const fieldValue = s.string({
  pattern: /^[\t\x20-\x7e]*$/,
  expected: 'a header value (printable ASCII)',
});

export const reply = s.object({
  status: s.integer({ min: 200, max: 599 }).describe('Status code.').default(200),
  headers: s.map(fieldValue, fieldNameProblem).describe('Header fields.').default({}),
  body: s.string().describe('The body, as text.').default(''),
});

/** The keys of a route but `policies`, whose items each have the schema of their policy kind. */
export const routeFields = {
  name: s.string({ nonEmpty: true }).describe('Name in logs, metrics and messages; left out: its match.').optional(),
  match: match.describe(
    'What the route takes: a string, or a table with more conditions. Each route has one.',
    'GET /orders/{id:int}',
  ),
  to: s.string({ nonEmpty: true }).describe('Name of the service.', 'orders').optional(),
  reply: reply.describe('Answer here instead of asking a service.').optional(),
  rewrite: s
    .string({ nonEmpty: true })
    .describe(
      "Path sent to the target, and perhaps a query: a template with the path parameters. A query stands before the client's, replaces its parameters of the same names, and drops it where it is empty (`/x?`).",
      '/v2/orders/{param.id}',
    )
    .optional(),
  strip_prefix: s
    .string({ pattern: /^\/.*[^/]$/, expected: 'a path prefix such as `"/api"`' })
    .describe('Literal segments that every path of the route begins with; taken off before it is sent.')
    .optional(),
  timeout: s.duration().describe('For the whole exchange; `"0s"`: none.').default(60_000),
  max_body: s.size().describe("Largest request body on this route; left out: the listener's.").optional(),
  ...reach,
};

export const groupFields = {
  name: s.string({ nonEmpty: true }).describe('For messages.').optional(),
  prefix: s
    .string({ pattern: /^\/.*[^/]$/, expected: 'a path prefix such as `"/api"`' })
    .describe('Put before the path of every route inside.')
    .optional(),
  host: hosts('Host of every route inside that names none; several as a list.').optional(),
  ...reach,
};

export type ReplyConfig = Infer<typeof reply>;
