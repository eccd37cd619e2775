/** Config of the mock action. */
import { type Infer, s } from '../../policies/compile-kit.js';

export const schema = s.object({
  document: s
    .string({ nonEmpty: true })
    .describe('File with an OpenAPI 3.0 or 3.1 document, in JSON or YAML, relative to the spec.', 'openapi.yaml')
    .optional(),
  operation: s
    .string({ nonEmpty: true })
    .describe(
      'Operation of the document: its `operationId`, or method and path. Default: the operations with the methods and the path of the route.',
      'getOrder',
    )
    .optional(),
  status: s
    .integer({ min: 200, max: 599 })
    .describe('Status code. Default: the lowest 2xx of the operation, or 200.')
    .optional(),
  example: s.string({ nonEmpty: true }).describe('Name of the example to send. Default: the first one.').optional(),
  seed: s.integer({ max: 4_294_967_295 }).describe('Another seed generates other values.').default(1),
  body: s.string().describe('Body of a fixed example, instead of `document`.', '{"id": 7}').optional(),
  content_type: s
    .string({ pattern: /^[\x21-\x7e]+\/[\x20-\x7e]+$/, expected: 'a media type' })
    .describe('Media type of `body`.')
    .default('application/json'),
});

export type MockConfig = Infer<typeof schema>;

/** `mock = "openapi.yaml"`. */
export const shorthand = s
  .either<MockConfig>(
    {
      kinds: ['string'],
      schema: s.mapped(
        s.string({ nonEmpty: true }),
        (document): MockConfig => ({
          document,
          operation: undefined,
          status: undefined,
          example: undefined,
          seed: 1,
          body: undefined,
          content_type: 'application/json',
        }),
      ),
    },
    { kinds: ['table'], schema },
  )
  .describe('Answers with examples: an OpenAPI document, or a table.', 'openapi.yaml');

export type MockExample = { readonly name: string; readonly body: string };

export type MockMedia = { readonly type: string; readonly examples: readonly MockExample[] };

export type MockReply = {
  /** As in the document: `404`, `4XX`, `default`. */
  readonly code: string;
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Empty: no body. */
  readonly media: readonly MockMedia[];
};

export type MockOperation = {
  readonly replies: readonly MockReply[];
  /** Index of the reply for requests without a preference. */
  readonly first: number;
  /** Name of its example; absent: the first one. */
  readonly example?: string;
};

export type MockSettings = {
  /** By method, in capitals; `*`: any method. */
  readonly operations: { readonly [method: string]: MockOperation };
};
