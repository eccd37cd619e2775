/** Config of the aggregate action. */
import { fieldProblem, type Infer, isFieldText, s } from '../../policies/compile-kit.js';
import type { ExpressionEntry, Json, TemplateEntry } from '../../policies/contract.js';
import { JsonValueSchema } from '../../policies/kits/json-value-schema.js';
import { MOST_AT_ONCE, MOST_CALLS, MOST_ITEMS } from './bounds.js';
import type { ValueEntry } from './value-path.js';

/** Names are members of JSON, and parts of paths and of JSONata without quotes. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Names that mean something else where calls are named. */
const RESERVED = new Set(['errors', '__proto__', 'constructor', 'prototype']);

function callNameProblem(name: string): string | undefined {
  if (RESERVED.has(name)) return `A call cannot be named \`${name}\`: the word has another meaning in the reply.`;
  return NAME.test(name) ? undefined : `\`${name}\` is not a name of a call: use letters, digits and \`_\`.`;
}

const template = () => s.string();

const headerMap = () =>
  s
    .map(
      s
        .string()
        .check('schema/format', (text) => (isFieldText(text) ? undefined : 'A field value is printable ASCII.')),
      fieldProblem,
    )
    .check('schema/value', (fields) => {
      const names = Object.keys(fields).map((name) => name.toLowerCase());
      const twice = names.find((name, index) => names.indexOf(name) !== index);
      return twice === undefined ? undefined : `The field \`${twice}\` is set twice: names have no case.`;
    });

const POLICIES = ['fail', 'default', 'omit'] as const;
export type OnFailure = (typeof POLICIES)[number];

const onFailure = () => s.enum(...POLICIES);

const MIB = 1024 ** 2;

export const callSchema = s.object({
  service: s.string({ nonEmpty: true }).describe('Name of the service that gets the call.', 'products'),
  method: s
    .string({ pattern: /^[A-Z][A-Z-]*$/, expected: 'a method in capitals, such as `"GET"`' })
    .check('schema/value', (method) => (method === 'CONNECT' ? 'CONNECT opens a tunnel.' : undefined))
    .describe('Method.')
    .default('GET'),
  path: s
    .string({ nonEmpty: true })
    .describe('Path, with an optional query: a template that begins with `/`.', '/products/{id}'),
  query: s
    .map(template())
    .describe('Query parameters; their values are templates. One without a value is not sent.', {
      page: '{query.page}',
    })
    .default({}),
  headers: headerMap()
    .describe('Fields of the request; their values are templates. One without a value is not sent.', {
      accept: 'application/json',
    })
    .default({}),
  body: template().describe('Body, as text: a template. JSON unless `headers` has another `content-type`.').optional(),
  json: s
    .string({ nonEmpty: true })
    .describe(
      'Body, as JSON: a value in JSONata, such as a list of ids. Instead of `body`.',
      '{ "ids": orders.items.product }',
    )
    .optional(),
  pass: s
    .either<'all' | readonly string[]>(
      { kinds: ['string'], schema: s.enum('all') },
      { kinds: ['array'], schema: s.array(s.string({ nonEmpty: true }).check('schema/format', fieldProblem)) },
    )
    .describe(
      'Fields of the client that the service gets: all that a service of the route would get, or a list of names. Trace context and forwarding fields are always sent.',
      ['authorization'],
    )
    .default('all'),
  as: s.enum('json', 'text').describe('How the body of the reply is read.').default('json'),
  timeout: s
    .duration({ min: 1 })
    .describe('Time limit for each attempt, with the body of its reply. Default: that of the aggregate.')
    .optional(),
  retry: s
    .integer({ max: 5 })
    .describe('Further attempts after a failure, a timeout, or a status in `retry_statuses`.')
    .default(0),
  retry_statuses: s
    .array(s.integer({ min: 400, max: 599 }))
    .describe('Statuses after which the call is sent again.')
    .default([502, 503, 504]),
  idempotent: s
    .boolean()
    .describe('The call may be sent twice, although its method is not safe. Default: only GET, HEAD and OPTIONS may.')
    .default(false),
  when: s.expression().describe('The call is only sent if this holds.', 'consumer.plan == "gold"').optional(),
  if: s
    .string({ nonEmpty: true })
    .describe(
      'A value of another call, in JSONata: the call is only sent if it is there and not false, 0 or empty.',
      'product.stock > 0',
    )
    .optional(),
  after: s
    .array(s.string({ nonEmpty: true }))
    .describe('Calls that end first, besides those whose results it uses.', ['reserve'])
    .default([]),
  for_each: s
    .string({ nonEmpty: true })
    .describe(
      'A list in the results of other calls, in JSONata: one request for each item, `{item}` in templates.',
      'orders.items.product',
    )
    .optional(),
  max_items: s
    .integer({ min: 1, max: MOST_ITEMS })
    .describe('Most items of `for_each`. More of them are a failure of the call.', 50)
    .optional(),
  concurrency: s
    .integer({ min: 1, max: MOST_AT_ONCE })
    .describe('Requests of `for_each` in progress at once.')
    .default(4),
  unique: s
    .boolean()
    .describe('Send equal requests of `for_each` once, and use the reply for each. Default: for safe methods.')
    .optional(),
  on_failure: onFailure()
    .describe(
      'If the call fails: `fail` the whole request, use `default`, or `omit` the call. Default: that of the aggregate; `default` if the call has one.',
    )
    .optional(),
  default: new JsonValueSchema()
    .describe('Takes the place of the body if the call fails or is not sent; with `for_each`, of that of an item.', [])
    .optional(),
  cache: s
    .object({
      shared: s
        .boolean()
        .describe('Replies do not depend on the caller: one for all. Default: each caller has its own.')
        .default(false),
      ttl: s
        .duration({ min: 1 })
        .describe('How long a reply is fresh, whatever its fields say about that. Default: what they say.')
        .optional(),
    })
    .describe('Use fresh replies to GET again, as RFC 9111 allows.', { shared: true })
    .optional(),
  max_reply: s
    .size({ min: 1, max: 16 * MIB })
    .describe('Largest body of a reply, as received and decoded.')
    .default(MIB),
});

export const schema = s
  .object({
    call: s
      .map(callSchema, callNameProblem)
      .check('schema/empty', (calls) => (Object.keys(calls).length === 0 ? 'Expected at least one call.' : undefined))
      .check('schema/value', (calls) =>
        Object.keys(calls).length > MOST_CALLS ? `Expected at most ${MOST_CALLS} calls.` : undefined,
      )
      .describe('The calls, by name.', { product: { service: 'products', path: '/products/{id}' } }),
    merge: s
      .either<string | readonly string[]>(
        {
          kinds: ['string'],
          schema: s.mapped(s.string({ nonEmpty: true }), (text): string | readonly string[] => text),
        },
        { kinds: ['array'], schema: s.array(s.string({ nonEmpty: true }), { min: 1 }) },
      )
      .describe(
        'Body of the reply: JSONata over the bodies of the calls by name, or a list of the calls whose bodies are its members. Default: all.',
        '{ "name": product.name, "left": stock.quantity }',
      )
      .optional(),
    status: s
      .either<number | string>(
        { kinds: ['integer'], schema: s.mapped(s.integer({ min: 200, max: 599 }), (value): number | string => value) },
        { kinds: ['string'], schema: s.mapped(s.string({ nonEmpty: true }), (value): number | string => value) },
      )
      .describe(
        'Status of the reply: a number, or a value in JSONata. Then also if a required call fails. Default: 200, or decided by the call that fails.',
        '$calls.product.status',
      )
      .optional(),
    headers: headerMap()
      .describe('Fields of the reply; their values are templates. One without a value is not sent.')
      .default({}),
    timeout: s.duration({ min: 1 }).describe('Time limit for all calls together.').default(10_000),
    request_body: s
      .size({ min: 1, max: 16 * MIB })
      .describe(
        'Read the JSON of the request, up to this size: `{body.NAME}` in templates, `$body` in expressions. Default: it is not read.',
        '64KiB',
      )
      .optional(),
    on_failure: onFailure().describe('What the failure of a call does, if the call does not say.').default('fail'),
    max_total: s
      .size({ min: 1, max: 64 * MIB })
      .describe('Most bytes of all replies together, decoded.')
      .default(4 * MIB),
    etag: s.boolean().describe('Complete replies to GET get an ETag, and 304 answers If-None-Match.').default(true),
  })
  .describe('One reply made of calls to several services.');

export type AggregateConfig = Infer<typeof schema>;
export type CallConfig = Infer<typeof callSchema>;

/** A part of a template of a call: text, a variable of gw, or a value of a call. */
export type PartEntry = string | { readonly var: string } | { readonly value: ValueEntry };
export type CallTemplateEntry = readonly PartEntry[];
export type NamedTemplate = readonly [name: string, value: CallTemplateEntry];

/** A value: a path, or a program in JSONata with the calls whose bodies it reads. */
export type ExpressionSettings = ValueEntry | { readonly jsonata: string; readonly calls: readonly number[] };

export type CallSettings = {
  readonly name: string;
  readonly service: string;
  readonly method: string;
  readonly path: CallTemplateEntry;
  readonly query: readonly NamedTemplate[];
  /** Names in lower case. */
  readonly headers: readonly NamedTemplate[];
  readonly body?: CallTemplateEntry;
  readonly json?: ExpressionSettings;
  /** Names in lower case; absent: all. */
  readonly pass?: readonly string[];
  readonly as: 'json' | 'text';
  /** Milliseconds. */
  readonly timeout: number;
  readonly attempts: number;
  readonly retryStatuses: readonly number[];
  readonly when?: ExpressionEntry & { readonly [key: string]: Json };
  readonly if?: ExpressionSettings;
  readonly forEach?: { readonly items: ExpressionSettings; readonly max: number; readonly concurrency: number };
  readonly unique: boolean;
  readonly onFailure: OnFailure;
  readonly default?: Json;
  readonly maxReply: number;
  readonly cache?: { readonly shared: boolean; readonly ttl?: number };
  /** Indices of the calls that end first. */
  readonly after: readonly number[];
  /** Indices of the calls whose bodies or fields its templates use: without them it is not sent. */
  readonly needs: readonly number[];
  /** Those whose fields they use. */
  readonly needsFields: readonly number[];
  /** Something reads the value of its body, not only its text. */
  readonly read: boolean;
  /** Its body is a member of the reply. */
  readonly merged: boolean;
};

export type AggregateSettings = {
  /** In an order in which each call comes after those that it waits for. */
  readonly calls: readonly CallSettings[];
  readonly status?: number | ExpressionSettings;
  /** Absent: an object with the bodies. */
  readonly merge?: ExpressionSettings;
  /** The reply depends on who calls, or on more than the URL. */
  readonly personal: boolean;
  readonly headers: readonly (readonly [name: string, value: CallTemplateEntry])[];
  /** Bytes; absent: the body of the request is not read. */
  readonly requestBody?: number;
  readonly timeout: number;
  readonly maxTotal: number;
  readonly etag: boolean;
};

export type { TemplateEntry };
