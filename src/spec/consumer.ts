/** `[consumer.NAME]` and its credentials: what a spec or a file of consumers may say. */
import { SIGNATURE_ALGORITHMS } from '../policies/kits/http-signature/algorithms.js';
import { readPasswordHash } from '../policies/kits/password/hash.js';
import { SECRET_ENCODINGS } from '../policies/kits/secret-encoding.js';
import { type Infer, type Problem, s } from '../schema/declare.js';
import { blockProblem } from './addresses.js';
import { NAME_PATTERN } from './entities.js';

const isHash = (text: string): boolean => /^sha256:[0-9a-f]{64}$/.test(text);

const keyHash = () =>
  s.reference(
    'an API key hash `"sha256:<64 hex digits>"`',
    (text): Problem | undefined =>
      isHash(text)
        ? undefined
        : {
            message: 'A spec contains API keys only as hashes: `sha256:` and 64 lower-case hex digits.',
            help: 'Hash the key with `printf %s KEY | sha256sum`. Replace a key that was committed to a repository.',
          },
    { sensitive: true },
  );

const fingerprint = () =>
  s.reference('a fingerprint `"sha256:<64 hex digits>"`', (text): Problem | undefined =>
    isHash(text)
      ? undefined
      : {
          message: 'A certificate is named by its fingerprint: `sha256:` and 64 lower-case hex digits.',
          help: 'Print it with `openssl x509 -in client.pem -outform der | sha256sum`.',
        },
  );

/** The bytes of PHC strings and of bcrypt; the policy that verifies them checks the rest. */
export const PASSWORD_HASH = /^\$(argon2(id|i|d)|scrypt|2[aby])\$[\x21-\x7e]+$/;

const passwordHash = () =>
  s.reference(
    'the hash of a password',
    (text): Problem | undefined => {
      if (!PASSWORD_HASH.test(text))
        return {
          message: 'A spec contains passwords only as hashes: argon2 or scrypt as a PHC string, or bcrypt.',
          help: 'Write the hash that `argon2` or `htpasswd -B` prints, or `"${env:NAME}"`. Replace a password that was committed to a repository.',
        };
      const hash = readPasswordHash(text);
      return 'fault' in hash ? { message: `The password hash ${hash.fault}.`, help: hash.help } : undefined;
    },
    { sensitive: true },
  );

const sharedSecret = () =>
  s.reference(
    'a reference such as `"${env:PARTNER_SECRET}"`',
    (): Problem => ({
      message: 'A spec contains no secrets: write a reference, without a default.',
      help: 'Write `"${env:NAME}"` or `"${file:path}"`. Replace a secret that was committed to a repository.',
    }),
    { sensitive: true },
  );

const KINDS = ['key', 'certificate', 'username', 'key_id'] as const;

interface CredentialKeys {
  readonly [key: string]: unknown;
}

/** Exactly one kind, with what belongs to it. */
function kindProblem(config: CredentialKeys): Problem | undefined {
  const set = (key: string): boolean => config[key] !== undefined;
  const kinds = KINDS.filter(set);
  if (kinds.length !== 1) {
    const message = `A credential has exactly one of \`key\`, \`certificate\`, \`username\` and \`key_id\`; found ${kinds.length === 0 ? 'none' : kinds.map((kind) => `\`${kind}\``).join(' and ')}.`;
    return { message, help: 'Write a `[[consumer.NAME.credentials]]` for each credential.' };
  }
  const stray = (key: string, owner: (typeof KINDS)[number]): Problem | undefined =>
    set(key) && kinds[0] !== owner
      ? { message: `\`${key}\` belongs to a credential with \`${owner}\`, but this one has \`${kinds[0]}\`.` }
      : undefined;
  const strayKey =
    stray('password', 'username') ??
    stray('public_key', 'key_id') ??
    stray('secret', 'key_id') ??
    stray('secret_encoding', 'key_id') ??
    stray('algorithm', 'key_id');
  if (strayKey !== undefined) return strayKey;
  if (kinds[0] === 'username' && !set('password'))
    return { message: '`username` needs `password`.', help: 'Write the hash of the password.' };
  return kinds[0] === 'key_id' ? signatureProblem(config, set) : undefined;
}

function signatureProblem(config: CredentialKeys, set: (key: string) => boolean): Problem | undefined {
  if (!set('algorithm'))
    return {
      message: '`key_id` needs `algorithm`.',
      help: `It is one of ${SIGNATURE_ALGORITHMS.map((name) => `\`"${name}"\``).join(', ')}.`,
    };
  const wanted = config['algorithm'] === 'hmac-sha256' ? 'secret' : 'public_key';
  const other = wanted === 'secret' ? 'public_key' : 'secret';
  if (!set(wanted) || set(other))
    return { message: `The algorithm \`${config['algorithm']}\` needs \`${wanted}\`, and no \`${other}\`.` };
  if (wanted === 'secret' || !set('secret_encoding')) return undefined;
  return {
    message: '`secret_encoding` belongs to a credential with `secret`, but this one has `public_key`.',
    help: 'Remove `secret_encoding`.',
  };
}

const credential = s
  .object({
    name: s
      .string({ pattern: NAME_PATTERN, expected: 'a name' })
      .describe(
        'Name of the credential, for messages and commands. Default: its kind and number, such as `key-1`.',
        'ci',
      )
      .optional(),
    key: keyHash().describe('SHA-256 hash of an API key: `printf %s KEY | sha256sum`.').optional(),
    certificate: fingerprint()
      .describe('SHA-256 fingerprint of a client certificate: `openssl x509 -in FILE -outform der | sha256sum`.')
      .optional(),
    username: s.reference('a user name').describe('User name for the `basic` policy.').optional(),
    password: passwordHash().describe('Hash of the password: argon2 or scrypt as a PHC string, or bcrypt.').optional(),
    key_id: s.reference('a key id').describe('Key id (`keyid`) of HTTP message signatures.').optional(),
    public_key: s
      .string({ nonEmpty: true })
      .describe('Public key that verifies the signatures: a PEM file, relative to the spec, or PEM text.')
      .optional(),
    secret: sharedSecret().describe('Shared secret that verifies the signatures, for `hmac-sha256`.').optional(),
    secret_encoding: s
      .enum(...SECRET_ENCODINGS)
      .describe('How the secret is written. Default: `text`.')
      .optional(),
    algorithm: s
      .enum(...SIGNATURE_ALGORITHMS)
      .describe('Algorithm of the signatures, RFC 9421.')
      .optional(),
    expires: s.instant().describe('When it ends. Default: never.', '2027-01-31T00:00:00Z').optional(),
    disabled: s.boolean().describe('Refuse it.').default(false),
    addresses: s
      .array(s.string({ nonEmpty: true }).check('schema/format', blockProblem))
      .describe('Client addresses (CIDR) that may use it. Empty: all.', ['10.0.0.0/8'])
      .default([]),
  })
  .check('schema/one-of', kindProblem);

export const consumer = s.object({
  groups: s
    .array(s.string({ pattern: NAME_PATTERN, expected: 'a name' }))
    .describe('Groups of the consumer, for `allow` policies and conditions.', ['partners'])
    .default([]),
  plan: s.string({ nonEmpty: true }).describe('Name of the plan of this consumer.').optional(),
  api_keys: s
    .array(keyHash())
    .describe('SHA-256 hashes of API keys: short for `credentials` with only `key`.')
    .default([]),
  credentials: s.array(credential).describe('Proofs of identity: `[[consumer.NAME.credentials]]`.').default([]),
  tags: s.map(s.string()).describe('Custom values, available in templates as `{consumer.tags.NAME}`.').default({}),
  disabled: s.boolean().describe('Refuse its requests with 403.').default(false),
  keep_streams: s
    .boolean()
    .describe('Keep streams and WebSockets open when the consumer or its credential is revoked or expires.')
    .default(false),
});

export type ConsumerConfig = Infer<typeof consumer>;
export type CredentialConfig = ConsumerConfig['credentials'][number];
