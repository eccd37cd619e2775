/** Declarations of routes and groups: conditions, matches. */
import { type Infer, s } from '../schema/declare.js';
import { NAME_PATTERN } from './entities.js';
import { webSocket } from './websocket.js';

const conditionTable = s.object({
  present: s.boolean().describe('The field or parameter is present, with any value.').optional(),
  absent: s.boolean().describe('The field or parameter is absent.').optional(),
  equals: s.string().describe('The value equals this text.').optional(),
  one_of: s.array(s.string(), { min: 1 }).describe('The value is one of these.').optional(),
  prefix: s.string({ nonEmpty: true }).describe('The value begins with this text.').optional(),
  matches: s.string({ nonEmpty: true }).describe('The whole value matches this pattern.').optional(),
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
  readonly scheme: Scheme | undefined;
}

export type Scheme = 'http' | 'https';

const scheme = (doc: string) => s.enum('http', 'https').describe(doc, 'http').optional();

/** One host, or a list of them. */
const hosts = (doc: string) =>
  s
    .either<readonly string[]>(
      { kinds: ['string'], schema: s.mapped(s.string({ nonEmpty: true }), (host) => [host]) },
      { kinds: ['array'], schema: s.array(s.string({ nonEmpty: true }), { min: 1 }) },
    )
    .describe(doc);

const tagList = (doc: string) =>
  s
    .array(s.string({ pattern: NAME_PATTERN, expected: 'a tag such as `"partner"`' }))
    .describe(doc, ['partner'])
    .default([]);

/** Keys of both routes and groups; the innermost list of listeners applies. */
const reach = {
  listeners: s
    .array(s.string({ nonEmpty: true }), { min: 1 })
    .describe(
      'Names of the listeners that serve it; it does not exist on other listeners. Default: those of the enclosing group, else of `[defaults]`, else all listeners.',
      ['public'],
    )
    .optional(),
  without: s
    .array(s.string({ nonEmpty: true }))
    .describe('Names of policies that are not inherited from `[defaults]` or enclosing groups.', ['keys'])
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
      host: hosts('`api.example.com` or `*.example.com`, or a list of hosts.').optional(),
      path: s
        .string({ nonEmpty: true })
        .describe('Literals, `{name}`, `{id:int}`, `{id:uuid}`, `{slug:[a-z0-9-]+}`, and as last segment `{rest...}`.'),
      methods: s
        .array(s.string({ nonEmpty: true, expected: 'a method in capitals' }))
        .describe('Methods in capitals. Default: any method.', ['GET', 'HEAD'])
        .default([]),
      headers: s.map(condition).describe('Conditions on header fields.').default({}),
      query: s.map(condition).describe('Conditions on query parameters.').default({}),
      scheme: scheme('Scheme of the request. Behind a trusted proxy it is the one that the proxy reports.'),
    }),
  },
);

/** The keys of a route, except those of actions and `policies`, whose schemas are those of their kinds. */
export const routeFields = {
  name: s.string({ nonEmpty: true }).describe('Name in logs, metrics and messages. Default: the match.').optional(),
  match: match.describe(
    'Requests that the route takes: a string, or a table with more conditions. Required.',
    'GET /orders/{id:int}',
  ),
  rewrite: s
    .string({ nonEmpty: true })
    .describe(
      'Path sent to the target, optionally with a query: a template with the path parameters. The query is put before that of the client and replaces its parameters of the same names; an empty query (`/x?`) removes that of the client.',
      '/v2/orders/{param.id}',
    )
    .optional(),
  strip_prefix: s
    .string({ pattern: /^\/.*[^/]$/, expected: 'a path prefix such as `"/api"`' })
    .describe('Literal segments at the start of every path of the route; removed before the path is sent.')
    .optional(),
  timeout: s
    .duration()
    .describe('Time limit for the whole exchange, unless it is a stream or an upgrade; `"0s"`: no limit.')
    .default(60_000),
  stream: s
    .boolean()
    .describe(
      'Whether the replies are streams, which have `stream_idle_timeout` in place of `timeout` and `response_timeout`. Default: those of the types `text/event-stream`, `multipart/x-mixed-replace` and `application/grpc*`, and calls of gRPC with HTTP/2 on both sides.',
      true,
    )
    .optional(),
  stream_idle_timeout: s
    .duration()
    .describe(
      'Longest wait for further bytes of a stream; `0s`: no limit. Default: `tunnel_idle_timeout` of the service.',
      '5m',
    )
    .optional(),
  websocket: webSocket().describe('Limits of WebSockets on this route ([WebSocket](websocket.md)).').optional(),
  tags: tagList('Tags of the route, for the `route_tags` of plans. Those of its groups are added.'),
  max_body: s
    .size()
    .describe('Maximum size of a request body on this route. Default: that of the listener.')
    .optional(),
  ...reach,
};

export const groupFields = {
  name: s.string({ nonEmpty: true }).describe('Name in messages.').optional(),
  prefix: s
    .string({ pattern: /^\/.*[^/]$/, expected: 'a path prefix such as `"/api"`' })
    .describe('Put before the path of every route in the group.')
    .optional(),
  host: hosts('Host, or list of hosts, of routes in the group that set none.').optional(),
  scheme: scheme('Scheme of the requests of routes in the group that set none.'),
  tags: tagList('Tags of all routes in the group.'),
  ...reach,
};
