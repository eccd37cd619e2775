/** Config of the mtls policy. */
import { fieldProblem, type Infer, plainText, s } from '../compile-kit.js';
import { DistinguishedName } from '../kits/certificates.js';

/** What finds the consumer. */
const FINDERS = ['fingerprint', 'san.dns', 'san.uri', 'san.email', 'subject.cn', 'subject', 'none'] as const;
/** What a field for the target can hold. */
const FACTS = ['subject', 'issuer', 'serial', 'fingerprint', 'subject.cn', 'san.dns', 'san.uri', 'san.email'] as const;

const nameProblem = (text: string): string | undefined =>
  DistinguishedName.parse(text) === undefined
    ? `\`${text}\` is not a distinguished name such as \`CN=Clients CA,O=Acme\`.`
    : undefined;

export const schema = s.object({
  from: s
    .enum('connection', 'client-cert', 'either')
    .describe(
      'Where the certificate comes from. `connection`: the TLS handshake. `client-cert`: the `Client-Cert` field (RFC 9440) of a proxy in `trusted_proxies`. `either`: that field from trusted proxies, the handshake from all others.',
    )
    .default('connection'),
  consumer: s
    .enum(...FINDERS)
    .describe(
      'What finds the consumer: the `fingerprint`, which a credential of the consumer has as `certificate`; a name in the certificate, which is compared exactly; `none`: every certificate is accepted, without a consumer.',
    )
    .default('fingerprint'),
  names: s
    .map(s.string({ nonEmpty: true }))
    .describe('Consumers by the name in the certificate. Default: the name is that of the consumer.', {
      'spiffe://mesh/ns/shop/sa/cart': 'cart',
    })
    .optional(),
  issuers: s
    .array(s.string({ nonEmpty: true }).check('schema/format', nameProblem), { min: 1 })
    .describe(
      'Accept certificates of these issuers only: whole distinguished names, in the form of RFC 4514. Default: all that the listener trusts.',
      ['CN=Clients CA,O=Acme'],
    )
    .optional(),
  optional: s
    .boolean()
    .describe('Let requests without a certificate pass, without a consumer. One that is not accepted still gets 401.')
    .default(false),
  ca: s
    .string({ nonEmpty: true })
    .describe(
      'PEM file with authorities by which a `Client-Cert` field is verified again. Default: what the trusted proxy says counts.',
      'clients-ca.pem',
    )
    .optional(),
  crl: s
    .string({ nonEmpty: true })
    .describe('PEM file with the revocation lists of the authorities in `ca`.', 'clients-crl.pem')
    .optional(),
  forward: s
    .object({
      client_cert: s.boolean().describe('Send the certificate as `Client-Cert` (RFC 9440).').default(false),
      chain: s
        .boolean()
        .describe('Send the intermediate certificates as `Client-Cert-Chain` (RFC 9440).')
        .default(false),
      fields: s
        .map(s.enum(...FACTS), fieldProblem)
        .describe('Fields for the target, each with a fact of the certificate.', { 'x-client-subject': 'subject' })
        .default({}),
    })
    .describe('What the target gets of the certificate. Clients cannot send these fields: theirs are removed.')
    .default({ client_cert: false, chain: false, fields: {} }),
  realm: plainText().describe('Realm in the `WWW-Authenticate` field of a 401.').default('api'),
});

export type MtlsConfig = Infer<typeof schema>;
export type Fact = (typeof FACTS)[number];

export type MtlsSettings = {
  readonly from: MtlsConfig['from'];
  readonly consumer: MtlsConfig['consumer'];
  /** Distinguished names in normal form. Absent: names are those of consumers. */
  readonly names?: { readonly [name: string]: string };
  /** In normal form. */
  readonly issuers?: readonly string[];
  readonly optional: boolean;
  /** PEM. */
  readonly ca?: string;
  readonly crl?: string;
  readonly clientCert: boolean;
  readonly chain: boolean;
  /** Names of fields in lower case. */
  readonly fields: { readonly [field: string]: Fact };
  readonly realm: string;
};
