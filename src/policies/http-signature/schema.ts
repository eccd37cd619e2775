/** Config of the http-signature policy. */
import { type Infer, plainText, s, secretReference } from '../compile-kit.js';
import { type PublicKeyJwk, SIGNATURE_ALGORITHMS, type SignatureAlgorithm } from '../kits/http-signature/index.js';
import { SECRET_ENCODINGS, type SecretEncoding } from '../kits/secret-encoding.js';

const key = s.object({
  id: s.string({ nonEmpty: true }).describe('Key id (`keyid`) that signatures name.', 'partner-2027'),
  public_key: s
    .string({ nonEmpty: true })
    .describe('File with the public key, PEM or JWK, relative to the spec; or the PEM text.', 'partner.pem')
    .optional(),
  secret: secretReference()
    .describe('Shared secret for `hmac-sha256`, at least 32 bytes: a reference.', '${env:PARTNER_SECRET}')
    .optional(),
  secret_encoding: s
    .enum(...SECRET_ENCODINGS)
    .describe('How the secret is written. Default: `text`.')
    .optional(),
  algorithm: s
    .enum(...SIGNATURE_ALGORITHMS)
    .describe('Algorithm of the key. Default: the one that fits; for RSA keys `rsa-pss-sha512`.')
    .optional(),
  consumer: s.string({ nonEmpty: true }).describe('Consumer whose key it is. Default: none.', 'acme').optional(),
});

const NONCES = ['required', 'optional', 'ignored'] as const;

export const schema = s.object({
  consumers: s.boolean().describe('Accept the keys of consumers: their credentials with a `key_id`.').default(true),
  keys: s.array(key).describe('Further keys.').default([]),
  jwks: s
    .string({ nonEmpty: true })
    .describe('File with further public keys as a JWK set, relative to the spec; each needs a `kid`.', 'partners.json')
    .optional(),
  components: s
    .array(s.string({ nonEmpty: true }))
    .describe(
      'Components that a signature must cover, besides `content-digest` for requests with a body: names of fields, and `@method`, `@authority`, `@path` ...; a component with parameters as in `Signature-Input`.',
      ['@method', '@target-uri', 'content-type'],
    )
    .default(['@method', '@authority', '@path', '@query']),
  max_age: s
    .duration({ min: 1000 })
    .describe('Signatures are accepted for this time after their `created`.')
    .default(300_000),
  leeway: s.duration().describe('Tolerance for clocks that differ, for `created` and `expires`.').default(10_000),
  nonce: s
    .enum(...NONCES)
    .describe(
      '`required`: each signature needs a nonce, which is accepted once. `optional`: a nonce is accepted once, signatures without one are accepted repeatedly. `ignored`: nonces are not checked.',
    )
    .default('required'),
  label: s
    .string({ pattern: /^[a-z*][a-z0-9_.*-]*$/, expected: 'a label such as `"sig1"`' })
    .describe('Label of the signature to verify. Default: the only one.', 'sig1')
    .optional(),
  tag: plainText().describe('Tag of the signature to verify: others are for other recipients.', 'orders').optional(),
  origin: s
    .string({ pattern: /^https?:\/\/[a-z0-9.:[\]-]+$/, expected: 'an origin such as `"https://api.example.com"`' })
    .describe(
      'Scheme, host and port as clients know them, for `@authority`, `@target-uri` and `@scheme`, if a proxy in front of gw changes them. Default: `Host`, and the scheme of the connection.',
      'https://api.example.com',
    )
    .optional(),
  max_body: s
    .size({ min: 1, max: 16 * 1024 ** 2 })
    .describe('Largest body whose digest is verified; larger ones get 413.')
    .default(256 * 1024),
  optional: s
    .boolean()
    .describe('Let requests without a signature pass, without a consumer. A wrong signature still gets 401.')
    .default(false),
  forward: s.boolean().describe('Send `Signature` and `Signature-Input` to the target.').default(false),
  realm: plainText().describe('Realm in the `WWW-Authenticate` field of a 401.').default('api'),
});

export type HttpSignatureConfig = Infer<typeof schema>;

export type KeySettings = {
  readonly id: string;
  readonly algorithm: SignatureAlgorithm;
  /** A public key, or a shared secret. */
  readonly key: PublicKeyJwk | string | { readonly $ref: string };
  /** Of a shared secret; absent: `text`. */
  readonly secretEncoding?: SecretEncoding;
  readonly consumer?: string;
};

export type HttpSignatureSettings = {
  readonly consumers: boolean;
  readonly keys: readonly KeySettings[];
  /** As in Signature-Input: `"@method"`. */
  readonly components: readonly string[];
  /** Milliseconds. */
  readonly maxAge: number;
  readonly leeway: number;
  readonly nonce: (typeof NONCES)[number];
  readonly label?: string;
  readonly tag?: string;
  readonly origin?: { readonly scheme: string; readonly authority: string };
  /** Bytes. */
  readonly maxBody: number;
  readonly optional: boolean;
  readonly forward: boolean;
  readonly realm: string;
};
