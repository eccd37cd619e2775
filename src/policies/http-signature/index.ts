/** Compile part of http-signature. */
import { declarePolicy } from '../compile-kit.js';
import type { ConfigPath, PolicyContext, PolicyProblem } from '../contract.js';
import { normalAuthority, readComponent, readKeySet, readPublicKey } from '../kits/http-signature/index.js';
import { componentItem, componentText, covers } from './components.js';
import { PROBLEMS } from './problems.js';
import { type HttpSignatureConfig, type HttpSignatureSettings, type KeySettings, schema } from './schema.js';

type KeyConfig = HttpSignatureConfig['keys'][number];
type Report = (problem: PolicyProblem) => void;

export default declarePolicy<HttpSignatureConfig, HttpSignatureSettings>({
  use: 'http-signature',
  summary: 'Authenticates callers by HTTP message signatures',
  phase: 'authenticate',
  authenticator: true,
  stateful: false,
  schema,
  traits: ({ optional, forward }) => ({
    authenticates: !optional,
    // A signature has no scopes.
    grants: [],
    claims: ['keyid', 'created', 'tag'],
    ...(forward ? {} : { ownsRequestFields: ['signature', 'signature-input'] }),
  }),
  body: ({ max_body }) => ({ request: { max: max_body, mandatory: false } }),
  codes: [
    { code: 'http-signature/key', severity: 'error', summary: 'A key of an http-signature policy cannot be used' },
    { code: 'http-signature/no-keys', severity: 'warning', summary: 'No key can verify the signatures of a policy' },
    {
      code: 'http-signature/component',
      severity: 'error',
      summary: 'An http-signature policy requires a component that requests do not have',
    },
    {
      code: 'http-signature/weak-components',
      severity: 'warning',
      summary: 'An http-signature policy accepts signatures that fit other requests',
    },
  ],
  problems: Object.values(PROBLEMS),
  lint(config, context, report) {
    lintKeys(config, context, report);
    lintComponents(config, report);
  },
  compile(config, context) {
    const { label, tag, origin, nonce, optional, forward, realm, consumers } = config;
    return {
      consumers,
      keys: [
        ...config.keys.flatMap((key) => keySettings(key, context) ?? []),
        ...setKeys(config, context).map(({ id, algorithm, jwk }) => ({ id: id!, algorithm, key: jwk })),
      ],
      components: [...new Set(config.components.map(componentText))],
      maxAge: config.max_age,
      leeway: config.leeway,
      nonce,
      ...(label === undefined ? {} : { label }),
      ...(tag === undefined ? {} : { tag }),
      ...(origin === undefined ? {} : { origin: originOf(origin) }),
      maxBody: config.max_body,
      optional,
      forward,
      realm,
    };
  },
});

function originOf(text: string): { scheme: string; authority: string } {
  const scheme = text.startsWith('https:') ? 'https' : 'http';
  return { scheme, authority: normalAuthority(text.slice(text.indexOf('//') + 2), scheme) };
}

// ---------------------------------------------------------------- keys

const KEY = { code: 'http-signature/key', severity: 'error' } as const;

function lintKeys(config: HttpSignatureConfig, context: PolicyContext, report: Report): void {
  const { keys, jwks, consumers, optional } = config;
  const known =
    consumers &&
    (context.moreConsumers === true || context.consumers.some(({ credentials }) => credentials.includes('signature')));
  if (keys.length === 0 && jwks === undefined && !known && !optional && context.routes.length > 0)
    report({
      code: 'http-signature/no-keys',
      severity: 'warning',
      at: [],
      message: 'No key can verify a signature: neither this policy nor a consumer has one, so every request gets 401.',
      help: 'Add `keys` or `jwks` here, or a credential with `key_id` to a consumer.',
    });
  const ids = new Map<string, ConfigPath>();
  const once = (id: string, at: ConfigPath): void => {
    const first = ids.get(id);
    if (first === undefined) ids.set(id, at);
    else
      report({
        ...KEY,
        at,
        message: `Two keys have the id \`${id}\`, so one of them would never be used.`,
        help: 'Rename one of them: signatures choose their key by its id.',
        related: [{ at: first, message: 'first used here' }],
      });
  };
  keys.forEach((key, index) => {
    once(key.id, ['keys', index, 'id']);
    lintKey(key, ['keys', index], context, report);
  });
  if (jwks === undefined) return;
  const file = context.readFile(jwks);
  const read = file.text === undefined ? `it cannot be read: ${file.cause}` : readKeySet(file.text);
  if (typeof read === 'string')
    report({
      ...KEY,
      at: ['jwks'],
      message: `The key set \`${jwks}\` cannot be used: ${read}.`,
      help: 'Write a JWK set with public keys; each has a `kid`, and an `alg` where the kind of key allows several.',
    });
  else for (const { id } of read) once(id!, ['jwks']);
}

function lintKey(key: KeyConfig, at: ConfigPath, context: PolicyContext, report: Report): void {
  const { public_key, secret, secret_encoding, algorithm, consumer, id } = key;
  if ((public_key === undefined) === (secret === undefined))
    report({
      ...KEY,
      at,
      message: `The key \`${id}\` has ${secret === undefined ? 'neither' : 'both'} a public key ${secret === undefined ? 'nor' : 'and'} a secret.`,
      help: 'Set `public_key` for a key pair, or `secret` for `hmac-sha256`.',
    });
  else if (secret !== undefined && algorithm !== undefined && algorithm !== 'hmac-sha256')
    report({
      ...KEY,
      at: [...at, 'algorithm'],
      message: `\`${algorithm}\` needs a key pair, but \`${id}\` is a shared secret.`,
      help: 'Remove `algorithm`, or set `public_key` in place of `secret`.',
    });
  else if (public_key !== undefined) {
    const read = readKey(key, context);
    if (typeof read === 'string')
      report({
        ...KEY,
        at: [...at, 'public_key'],
        message: `The public key of \`${id}\` cannot be used: ${read}.`,
        help: 'Name a file with a public key as PEM or JWK, relative to the spec.',
      });
  }
  if (public_key !== undefined && secret === undefined && secret_encoding !== undefined)
    report({
      ...KEY,
      at: [...at, 'secret_encoding'],
      message: `\`secret_encoding\` says how a shared secret is written, but \`${id}\` is a public key.`,
      help: 'Remove `secret_encoding`, or set `secret` in place of `public_key`.',
    });
  if (
    consumer !== undefined &&
    context.moreConsumers !== true &&
    context.consumers.every(({ name }) => name !== consumer)
  )
    report({
      ...KEY,
      at: [...at, 'consumer'],
      message: `No consumer is named \`${consumer}\`, so signatures by \`${id}\` would be refused.`,
      help: `Declare \`[consumer.${consumer}]\`, or remove \`consumer\`.`,
    });
}

function readKey({ public_key = '', algorithm }: KeyConfig, context: PolicyContext): ReturnType<typeof readPublicKey> {
  if (public_key.includes('-----BEGIN')) return readPublicKey(public_key, algorithm);
  const { text, cause } = context.readFile(public_key);
  return text === undefined ? `the file cannot be read: ${cause}` : readPublicKey(text, algorithm);
}

/** Undefined for a key that cannot be used, which lint() reports. */
function keySettings(key: KeyConfig, context: PolicyContext): KeySettings | undefined {
  const owner = key.consumer === undefined ? {} : { consumer: key.consumer };
  if (key.secret !== undefined) {
    const { secret_encoding = 'text' } = key;
    const encoding = secret_encoding === 'text' ? {} : { secretEncoding: secret_encoding };
    return { id: key.id, algorithm: 'hmac-sha256', key: key.secret, ...encoding, ...owner };
  }
  const read = readKey(key, context);
  return typeof read === 'string' ? undefined : { id: key.id, algorithm: read.algorithm, key: read.jwk, ...owner };
}

function setKeys({ jwks }: HttpSignatureConfig, context: PolicyContext) {
  const text = jwks === undefined ? undefined : context.readFile(jwks).text;
  const read = text === undefined ? [] : readKeySet(text);
  return typeof read === 'string' ? [] : read;
}

// ---------------------------------------------------------------- components

function lintComponents({ components }: HttpSignatureConfig, report: Report): void {
  const read = components.flatMap((text, index) => {
    const item = componentItem(componentText(text));
    const component = item === undefined ? 'it is malformed' : readComponent(item);
    const parts = typeof component === 'string' ? [] : [...component.parameters.keys()];
    const never = typeof component !== 'string' && (component.name === '@status' || parts.includes('req'));
    const late = parts.includes('tr');
    if (typeof component !== 'string' && !never && !late) return [component];
    const why = typeof component === 'string' ? component : late ? 'trailers come too late' : 'only replies have it';
    report({
      code: 'http-signature/component',
      severity: 'error',
      at: ['components', index],
      message: `\`${text}\` cannot be required: ${why}.`,
      help: 'Name a field, `@method`, `@authority`, `@path`, `@query`, `@target-uri`, `@scheme`, `@request-target` or `@query-param;name="NAME"`.',
    });
    return [];
  });
  if (read.length < components.length) return;
  const missing = ['@method', '@authority', '@path', '@query'].filter(
    (name) => !covers(read, { name, parameters: new Map(), id: `"${name}"` }),
  );
  if (missing.length === 0) return;
  report({
    code: 'http-signature/weak-components',
    severity: 'warning',
    at: ['components'],
    message: `Signatures need not cover ${missing.map((name) => `\`${name}\``).join(', ')}, so one that was overheard fits other requests too.`,
    help: `Add ${missing.map((name) => `\`"${name}"\``).join(', ')} to \`components\`.`,
  });
}
