/** Config of the upstream-auth policy. */
import { callUrl, fieldProblem, type Infer, plainText, s, secretReference } from '../compile-kit.js';
import { SIGNATURE_ALGORITHMS, type SignatureAlgorithm } from '../kits/http-signature/index.js';
import { ALGORITHMS, type Algorithm } from '../kits/jose/keys.js';
import type { ClientSettings } from '../kits/oauth-client/client.js';
import { clientFields } from '../kits/oauth-client/schema.js';
import { SECRET_ENCODINGS, type SecretEncoding } from '../kits/secret-encoding.js';
import { AWS_SOURCES, type AwsSource } from './aws/source.js';
import { type TemplateParts, template } from './templates.js';

const fieldName = (text: string): string | undefined =>
  text.toLowerCase() === 'host' ? 'The policy cannot set `host`: `host` of the service does.' : fieldProblem(text);

/** Claims that gw sets itself: a template could not, or another key does. */
const OWN_CLAIMS: { readonly [name: string]: string } = {
  iss: '`issuer` sets it',
  sub: '`subject` sets it',
  aud: '`audience` sets it',
  iat: 'gw sets it',
  exp: '`lifetime` sets it',
  nbf: 'it is a number',
  jti: 'gw sets it',
};

const claimName = (name: string): string | undefined =>
  Object.hasOwn(OWN_CLAIMS, name) ? `\`${name}\` cannot be a claim of a template: ${OWN_CLAIMS[name]}.` : undefined;

/** Parameters that gw sets itself. A request with two of a name is not valid: RFC 6749 section 3.2. */
const OWN_PARAMS: { readonly [name: string]: string } = {
  grant_type: 'gw sets it',
  scope: '`scope` sets it',
  client_secret: '`client_secret` sets it',
  client_assertion: '`client_key` sets it',
  client_assertion_type: '`client_key` sets it',
  subject_token: '`subject_token` of `token_exchange` sets it',
  subject_token_type: '`subject_token_type` of `token_exchange` sets it',
  requested_token_type: '`requested_token_type` of `token_exchange` sets it',
};

const paramName = (text: string): string | undefined =>
  Object.hasOwn(OWN_PARAMS, text) ? `\`${text}\` cannot be a further parameter: ${OWN_PARAMS[text]}.` : undefined;

const basic = s.object({
  username: template('a user name').describe('User name: a template.', 'gateway'),
  password: template('a password').describe(
    'Password: a template with a reference or a tag.',
    '${env:ORDERS_PASSWORD}',
  ),
});

const jwt = s.object({
  key: secretReference('a private key or a secret').describe(
    'Private key (PEM or JWK), or the secret of `HS256` and its like: a reference.',
    '${file:gateway-key.pem}',
  ),
  algorithm: s
    .enum(...ALGORITHMS)
    .describe('Algorithm. Default: the one that fits the key: `RS256`, `ES256`, `ES384`, `ES512` or `EdDSA`.')
    .optional(),
  key_id: s.string({ nonEmpty: true }).describe('`kid` in the header. Default: that of a JWK.').optional(),
  type: plainText().describe('`typ` in the header.').default('JWT'),
  issuer: template('an issuer').describe('`iss`: a template.', 'https://gw.example.com').optional(),
  subject: template('a subject').describe('`sub`: a template.', '{consumer.name}').optional(),
  audience: template('an audience').describe('`aud`: a template.', 'orders'),
  claims: s
    .map(template('a claim'), claimName)
    .describe('Further claims: templates. One without a value is left out.', { tenant: '{consumer.tags.tenant}' })
    .default({}),
  lifetime: s.duration({ min: 1000 }).describe('Time until the token expires.').default(60_000),
});

const signature = s.object({
  key_id: s.string({ nonEmpty: true }).describe('Key id (`keyid`) of the signatures.', 'gw-2027'),
  key: secretReference('a private key or a secret').describe(
    'Private key (PEM or JWK), or the shared secret of `hmac-sha256`: a reference.',
    '${file:gateway-key.pem}',
  ),
  algorithm: s
    .enum(...SIGNATURE_ALGORITHMS)
    .describe(
      'Algorithm. Default: the one that fits the key; for RSA keys `rsa-pss-sha512`. A shared secret needs `hmac-sha256`.',
    )
    .optional(),
  secret_encoding: s
    .enum(...SECRET_ENCODINGS)
    .describe('How the shared secret of `hmac-sha256` is written. Default: `text`.')
    .optional(),
  components: s
    .array(s.string({ nonEmpty: true }))
    .describe(
      'Components that are signed: fields, and `@method`, `@target-uri` ...; a field that a request does not have is left out.',
    )
    .default(['@method', '@target-uri']),
  digest: s
    .enum('sha-256', 'sha-512')
    .describe('Hash of `Content-Digest`, which requests with a body get, and which is signed.')
    .default('sha-256'),
  label: s
    .string({ pattern: /^[a-z*][a-z0-9_.*-]*$/, expected: 'a label such as `"sig1"`' })
    .describe('Label of the signature.')
    .default('sig1'),
  tag: plainText().describe('`tag` of the signature. Default: none.').optional(),
  lifetime: s
    .duration({ min: 1000 })
    .describe('Time until the signature expires (`expires`). Default: not said.')
    .optional(),
  max_body: s
    .size({ min: 1, max: 64 * 1024 ** 2 })
    .describe('Largest body that is signed; larger ones get 413.')
    .default(1024 * 1024),
});

const oauthFields = () => ({
  token_url: callUrl().describe(
    'Token endpoint. It becomes a service with the default settings.',
    'https://id.example.com/oauth2/token',
  ),
  service: s
    .string({ nonEmpty: true })
    .describe(
      'Name of the service with the token endpoint, for its own timeouts and TLS settings. Default: one from `token_url`.',
    )
    .optional(),
  ...clientFields(),
  scope: s
    .string({
      pattern: /^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/,
      expected: 'scopes separated by spaces',
    })
    .describe('Scopes to ask for.', 'orders:read')
    .optional(),
  audience: s.string({ nonEmpty: true }).describe('`audience` to ask for.', 'orders').optional(),
  resource: s
    .string({ nonEmpty: true })
    .describe('`resource` to ask for (RFC 8707).', 'https://orders.internal')
    .optional(),
  params: s.map(s.string(), paramName).describe('Further parameters of the requests.').default({}),
  timeout: s.duration({ min: 1 }).describe('Time limit for an answer of the token endpoint.').default(5000),
  max_body: s
    .size({ min: 1, max: 64 * 1024 ** 2 })
    .describe(
      'Collects bodies, so that a request with a body can be repeated after a 401 too; larger ones get 413. Default: bodies stream.',
    )
    .optional(),
});

const oauth2 = s.object(oauthFields());

const TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token';

const tokenType = () =>
  s.string({ pattern: /^[a-z][a-z0-9+.-]*:\S+$/, expected: 'a URI such as `"urn:ietf:params:oauth:token-type:jwt"`' });

const tokenExchange = s.object({
  ...oauthFields(),
  subject_token: template('a token')
    .describe('Token to exchange: a template. Default: the bearer token of the request.', '{request.header.x-token}')
    .optional(),
  subject_token_type: tokenType().describe('Type of that token.').default(TOKEN_TYPE),
  requested_token_type: tokenType().describe('Type of the token to ask for. Default: the server decides.').optional(),
});

const aws = s.object({
  service: plainText().describe('Name of the service at AWS.', 's3'),
  region: plainText().describe('Region.', 'eu-central-1'),
  source: s
    .enum(...AWS_SOURCES)
    .describe(
      'Where the credentials come from: variables of the `environment`, a `container` (ECS, EKS), a `web-identity` (STS), or the metadata of the `instance` (IMDSv2). `auto`: the first of them that is configured. Default: `auto`, unless there is an access key.',
    )
    .optional(),
  access_key_id: s
    .reference('an access key id')
    .describe('Access key id, instead of a source.', '${env:KEY_ID}')
    .optional(),
  secret_access_key: secretReference('a secret access key')
    .describe('Its secret: a reference.', '${env:SECRET_KEY}')
    .optional(),
  session_token: secretReference('a session token').describe('Its session token: a reference.').optional(),
  payload: s
    .enum('signed', 'unsigned')
    .describe(
      '`unsigned`: bodies stream and are not signed (`UNSIGNED-PAYLOAD`), which needs https targets and a service that accepts it, such as S3.',
    )
    .default('signed'),
  max_body: s
    .size({ min: 1, max: 64 * 1024 ** 2 })
    .describe('Largest body that is signed; larger ones get 413.')
    .default(1024 * 1024),
});

export const schema = s.object({
  fields: s
    .map(template('a field value'), fieldName)
    .describe('Sets these fields: templates with references and tags of the consumer.', {
      'x-api-key': '${env:ORDERS_KEY}',
    })
    .optional(),
  basic: basic.describe('Sends a user name and a password (RFC 7617).').optional(),
  per_consumer: s
    .map(secretReference('a credential'))
    .describe('Sends the credential of the consumer, by its name: references. `"*"`: for all others.', {
      acme: '${env:ACME_TOKEN}',
    })
    .optional(),
  oauth2: oauth2
    .describe('Sends a token of an authorization server, by the client credentials of gw (RFC 6749 section 4.4).')
    .optional(),
  token_exchange: tokenExchange
    .describe('Sends a token in the name of the caller, exchanged for the token of the request (RFC 8693).')
    .optional(),
  jwt: jwt.describe('Sends a token that gw signs for each request.').optional(),
  aws: aws.describe('Signs requests for AWS (Signature Version 4).').optional(),
  signature: signature.describe('Signs requests (RFC 9421).').optional(),
  header: s
    .string({ nonEmpty: true })
    .check('schema/format', fieldName)
    .describe('Field with the credential, for kinds that send one.')
    .default('authorization'),
  scheme: s
    .string({ pattern: /^([A-Za-z][A-Za-z0-9-]*)?$/, expected: 'an authentication scheme such as `"Bearer"`' })
    .describe(
      'Authentication scheme in front of the credential; `""` for none. Default: `Bearer` in `authorization`, else none.',
    )
    .optional(),
  services: s
    .array(s.string({ nonEmpty: true }))
    .describe('Services whose requests get the credential. Default: those that the routes with this policy forward to.')
    .optional(),
});

export type UpstreamAuthConfig = Infer<typeof schema>;

/** The kinds of credentials: exactly one of these keys is set. */
export const KINDS = [
  'fields',
  'basic',
  'per_consumer',
  'oauth2',
  'token_exchange',
  'jwt',
  'aws',
  'signature',
] as const;

export type OAuthSettings = {
  /** URL of the token endpoint, and its parts. */
  readonly endpoint: string;
  readonly service: string;
  readonly path: string;
  readonly client: ClientSettings;
  /** Of every request. */
  readonly params: readonly (readonly [name: string, value: string])[];
  /** Milliseconds. */
  readonly timeout: number;
};

type Secret = string | { readonly $ref: string };

export type KindSettings =
  | { readonly kind: 'fields'; readonly fields: readonly (readonly [name: string, parts: TemplateParts])[] }
  | { readonly kind: 'basic'; readonly username: TemplateParts; readonly password: TemplateParts }
  | {
      readonly kind: 'per-consumer';
      readonly credentials: readonly (readonly [consumer: string, credential: Secret])[];
    }
  | { readonly kind: 'oauth2'; readonly oauth: OAuthSettings }
  | {
      readonly kind: 'token-exchange';
      readonly oauth: OAuthSettings;
      /** Absent: the bearer token of the request. */
      readonly subjectToken?: TemplateParts;
      readonly subjectType: string;
    }
  | {
      readonly kind: 'jwt';
      readonly key: Secret;
      readonly algorithm?: Algorithm;
      readonly keyId?: string;
      readonly type: string;
      /** With the registered ones among them. */
      readonly claims: readonly (readonly [name: string, parts: TemplateParts])[];
      /** Milliseconds. */
      readonly lifetime: number;
    }
  | {
      readonly kind: 'aws';
      readonly service: string;
      readonly region: string;
      /** Absent: the keys of the config. */
      readonly source?: AwsSource;
      readonly keys?: {
        readonly accessKeyId: Secret;
        readonly secretAccessKey: Secret;
        readonly sessionToken?: Secret;
      };
      readonly payload: 'signed' | 'unsigned';
    }
  | {
      readonly kind: 'signature';
      readonly key: Secret;
      readonly keyId: string;
      readonly algorithm?: SignatureAlgorithm;
      /** Of a shared secret; absent: `text`. */
      readonly secretEncoding?: SecretEncoding;
      readonly components: readonly string[];
      readonly digest: 'sha-256' | 'sha-512';
      readonly label: string;
      readonly tag?: string;
      /** Milliseconds. */
      readonly lifetime?: number;
    };

export type UpstreamAuthSettings = {
  readonly kind: KindSettings;
  /** Lower case. */
  readonly header: string;
  /** Empty for none. */
  readonly scheme: string;
  readonly services: readonly string[];
};
