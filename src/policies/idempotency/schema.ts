/** Config of the idempotency policy. */
import { type Infer, s } from '../compile-kit.js';

const METHODS = ['POST', 'PATCH', 'PUT', 'DELETE'] as const;
const ON_UNKNOWN = ['refuse', 'retry'] as const;

/** An absolute URL of a page, or a path on the host of the request; undefined if it is neither. */
export function pageOf(text: string): string | undefined {
  const path = text.startsWith('/') && !text.startsWith('//');
  const url = URL.canParse(text, 'https://gw.invalid') ? new URL(text, 'https://gw.invalid') : undefined;
  if (url === undefined || url.username !== '' || url.password !== '') return undefined;
  if (path) return `${url.pathname}${url.search}${url.hash}`;
  return /^https?:\/\//i.test(text) ? url.href : undefined;
}

export const schema = s.object({
  methods: s
    .array(s.enum(...METHODS))
    .describe('Methods whose requests have a key. Requests with other methods pass, and their keys mean nothing.', [
      'POST',
    ])
    .default(['POST', 'PATCH']),
  required: s.boolean().describe('Refuse requests without a key with 400.').default(false),
  ttl: s
    .duration({ min: 1000 })
    .describe('A key and its reply are kept for this time after the reply.')
    .default(86_400_000),
  lease: s
    .duration({ min: 1000 })
    .describe(
      'How long a target may still work on a request whose reply was lost: for this time a further request with its key gets 409.',
      '30s',
    )
    .default(60_000),
  on_unknown: s
    .enum(...ON_UNKNOWN)
    .describe(
      'What a further request gets after the lease, if it is not known whether the first one was done. `refuse`: 409, until the key is forgotten. `retry`: it is sent to the target.',
    )
    .default('refuse'),
  free_on: s
    .array(s.integer({ min: 400, max: 599 }))
    .describe(
      'Statuses with which targets say that they did nothing. Such a reply is not kept, and the key is free again.',
      [429, 503],
    )
    .default([]),
  disk: s
    .boolean()
    .describe(
      'Keep keys in the folder `path` of `[state]` too, so that they survive a restart: a request is sent when its key is on disk.',
    )
    .default(false),
  max_body: s
    .size({ min: 0, max: 64 * 1024 ** 2 })
    .describe('Largest request body with a key; larger ones get 413.')
    .default(1024 * 1024),
  max_reply: s
    .size({ min: 0, max: 64 * 1024 ** 2 })
    .describe('Largest reply body that is kept. Of larger ones, only the status is kept.')
    .default(1024 * 1024),
  documentation: s
    .string()
    .check('schema/format', (text) =>
      pageOf(text) === undefined
        ? 'This is neither a URL that begins with `https://` or `http://` nor a path.'
        : undefined,
    )
    .describe(
      'Page that tells clients how keys work here. The errors of the policy link to it, in the field `Link`.',
      'https://developer.example.com/idempotency',
    )
    .optional(),
});

export type IdempotencyConfig = Infer<typeof schema>;

export type IdempotencySettings = {
  readonly methods: readonly string[];
  readonly required: boolean;
  /** Milliseconds. */
  readonly ttl: number;
  readonly lease: number;
  readonly retries: boolean;
  readonly freeOn: readonly number[];
  readonly disk: boolean;
  /** Bytes. */
  readonly maxReply: number;
  /** URL or path of a page for clients; null for none. */
  readonly documentation: string | null;
};
