/** Config of the webhook policy. */
import { fieldProblem, type Infer, s, secretReference } from '../compile-kit.js';
import type { RefString } from '../contract.js';
import { SECRET_ENCODINGS, type SecretEncoding } from '../kits/secret-encoding.js';

export const FORMATS = ['standard', 'github', 'stripe', 'slack', 'hmac'] as const;

/** Keys that belong to `format = "hmac"` alone. */
export const OWN_KEYS = [
  'header',
  'algorithm',
  'encoding',
  'prefix',
  'timestamp',
  'id',
  'signed',
  'secret_encoding',
] as const;

const field = () => s.string({ nonEmpty: true }).check('schema/format', fieldProblem);

export const schema = s.object({
  format: s
    .enum(...FORMATS)
    .describe(
      'Who signs, and how: Standard Webhooks, GitHub, Stripe, Slack; `hmac`: any other scheme with an HMAC in a header field.',
    ),
  secrets: s
    .either<readonly RefString[]>(
      { kinds: ['string'], schema: s.mapped(secretReference(), (one): readonly RefString[] => [one]) },
      { kinds: ['array'], schema: s.array(secretReference(), { min: 1 }) },
    )
    .describe('Shared secrets: a reference or a list. Each is accepted, so that a secret can be replaced.', [
      '${env:WEBHOOK_SECRET}',
    ])
    .optional(),
  public_keys: s
    .array(
      s.string({ pattern: /^(whpk_)?[A-Za-z0-9+/]{43}=$/, expected: 'an Ed25519 public key such as `"whpk_..."`' }),
      { min: 1 },
    )
    .describe('Ed25519 keys for signatures `v1a` of Standard Webhooks: 32 bytes in base64, with or without `whpk_`.')
    .optional(),
  sender: s
    .string({ nonEmpty: true })
    .describe(
      'Name of the sender: `{claims.sub}`, and the consumer of that name if there is one. Default: the name of the policy.',
      'github',
    )
    .optional(),
  tolerance: s
    .duration({ min: 1000 })
    .describe('How far the time of a signature may be from now, in either direction.')
    .default(300_000),
  remember: s
    .duration()
    .describe(
      'How long a request cannot be sent again; `"0s"`: not checked. Default: as long as its time is accepted; without a time in the signature 10 minutes.',
    )
    .optional(),
  max_body: s
    .size({ min: 1, max: 16 * 1024 ** 2 })
    .describe('Largest body, which is collected to check the signature.')
    .default(256 * 1024),
  header: field().describe('With `hmac`: the header field with the signature.', 'x-signature').optional(),
  algorithm: s.enum('sha256', 'sha512').describe('With `hmac`: the hash function. Default: `sha256`.').optional(),
  encoding: s.enum('hex', 'base64').describe('With `hmac`: how the signature is written. Default: `hex`.').optional(),
  prefix: s
    .string({ pattern: /^[\x21-\x7e]+$/, expected: 'text such as `"sha256="`' })
    .describe('With `hmac`: text in front of the signature.', 'sha256=')
    .optional(),
  timestamp: field()
    .describe(
      'With `hmac`: the header field with the time of the signature, in seconds or milliseconds since 1970.',
      'x-timestamp',
    )
    .optional(),
  id: field().describe('With `hmac`: the header field with the id of the message.', 'x-request-id').optional(),
  signed: s
    .string({ nonEmpty: true })
    .describe(
      'With `hmac`: what is signed; `{body}`, `{timestamp}`, `{id}`, `{method}` and `{path}` are replaced. Default: `{body}`.',
      '{timestamp}.{body}',
    )
    .optional(),
  secret_encoding: s
    .enum(...SECRET_ENCODINGS)
    .describe('With `hmac`: how the secrets are written. Default: `text`.')
    .optional(),
});

export type WebhookConfig = Infer<typeof schema>;

export type Part = string | { readonly var: 'body' | 'timestamp' | 'id' | 'method' | 'path' };

export type WebhookSettings = {
  /** How signatures are found: `list`: `v1,...` separated by spaces; `pairs`: `t=...,v1=...`; `field`: one in a field. */
  readonly form: 'list' | 'pairs' | 'field';
  /** Names of fields in lower case, here and below. */
  readonly header: string;
  readonly timestamp?: string;
  readonly id?: string;
  /** Text in what is signed that ends the id, so that no id contains it. */
  readonly idEnd?: string;
  readonly prefix: string;
  readonly algorithm: 'sha256' | 'sha512';
  readonly encoding: 'hex' | 'base64';
  readonly signed: readonly Part[];
  readonly secrets: readonly RefString[];
  /** `whsec`: base64, with or without `whsec_` in front. */
  readonly secretEncoding: SecretEncoding | 'whsec';
  /** Base64. */
  readonly publicKeys: readonly string[];
  readonly sender: string;
  /** Milliseconds, here and below. */
  readonly tolerance: number;
  /** 0: requests may be sent again. */
  readonly remember: number;
  readonly maxBody: number;
};
