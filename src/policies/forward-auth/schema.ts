/** Config of the forward-auth policy. */
import { callUrl, fieldProblem, type Infer, isFieldName, s } from '../compile-kit.js';

const fieldNames = () => s.array(s.string({ nonEmpty: true }).check('schema/format', fieldProblem));

/** The parts of a request, besides the sent fields, that a cached decision is for. */
const PARTS = ['method', 'host', 'path', 'query', 'client'] as const;

export const schema = s.object({
  url: callUrl()
    .describe(
      'URL of the service that decides. It becomes a service with the default settings.',
      'https://auth.example/check',
    )
    .optional(),
  service: s
    .string({ nonEmpty: true })
    .describe('Name of the service that decides, instead of `url`.', 'auth')
    .optional(),
  path: s
    .string({ pattern: /^\/[\x21-\x22\x24-\x7e]*$/, expected: 'a path such as `"/check"`' })
    .describe('Path, and query, of the requests to `service`. Default: `/`.', '/check')
    .optional(),
  method: s
    .enum('GET', 'POST')
    .describe('Method of the requests to the service. Default: `GET`; with `body`: `POST`.')
    .optional(),
  send: fieldNames().describe('Fields of the request that the service gets.').default(['authorization', 'cookie']),
  credentials: fieldNames()
    .describe(
      'Fields with credentials. A 401 or a redirect for a request with none of them means that it has no credential: `any-of` tries its next policy. Default: those in `send`.',
      ['authorization'],
    )
    .optional(),
  take: fieldNames()
    .describe('Fields of an accepting answer that the target gets. Clients cannot send them: theirs are removed.', [
      'x-user',
    ])
    .default([]),
  answer: fieldNames()
    .describe('Fields of a refusing answer that the client gets.')
    .default(['www-authenticate', 'location', 'set-cookie', 'content-type', 'cache-control', 'retry-after']),
  consumer: s
    .string({ nonEmpty: true })
    .check('schema/format', (name) => (isFieldName(name) ? undefined : `\`${name}\` is not a valid header field name.`))
    .describe('Field of an accepting answer with the name of the consumer.', 'x-user')
    .optional(),
  body: s
    .size({ min: 1, max: 16 * 1024 ** 2 })
    .describe('Send the body of the request too, up to this size. Default: the service gets no body.', '64KiB')
    .optional(),
  timeout: s.duration({ min: 1 }).describe('Time limit for the answer.').default(5000),
  max_answer: s
    .size({ min: 1, max: 16 * 1024 ** 2 })
    .describe('Largest body of an answer.')
    .default(64 * 1024),
  cache: s
    .object({
      ttl: s.duration({ min: 1 }).describe('How long an accepting answer is kept, unless its Cache-Control says less.'),
      by: s
        .array(s.enum(...PARTS))
        .describe('What an answer depends on, besides the fields in `send`.')
        .default([...PARTS]),
    })
    .describe('Keep accepting answers, for requests that are the same for the service.')
    .optional(),
});

export type ForwardAuthConfig = Infer<typeof schema>;

export type ForwardAuthSettings = {
  readonly service: string;
  /** With query. */
  readonly path: string;
  readonly method: string;
  /** Names of fields in lower case, here and below. */
  readonly send: readonly string[];
  readonly credentials: readonly string[];
  readonly take: readonly string[];
  readonly answer: readonly string[];
  readonly consumer?: string;
  /** Bytes; absent: the service gets no body. */
  readonly body?: number;
  readonly timeout: number;
  readonly maxAnswer: number;
  readonly cache?: { readonly ttl: number; readonly by: readonly (typeof PARTS)[number][] };
};
