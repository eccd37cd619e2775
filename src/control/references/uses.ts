/** Where the references of a program are used, and whether their values are valid there. */
import type {
  CredentialEntry,
  Json,
  PolicyEntry,
  Program,
  RefString,
  SourceRef,
  TlsHostEntry,
  TlsPolicyEntry,
} from '../../bundle/types.js';
import { LEAST_SECRET } from '../../policies/kits/http-signature/algorithms.js';
import { SECRET_ENCODINGS, secretBytes } from '../../policies/kits/secret-encoding.js';
import { addressProblem } from '../../spec/addresses.js';
import { PASSWORD_HASH } from '../../spec/consumer.js';
import { urlProblem } from '../../spec/service/target.js';

export interface Misfit {
  /** Continues a sentence whose subject is `what`: `is empty`. */
  readonly message: string;
  readonly help: string;
}

export interface ReferenceUse {
  /** The key, as a dotted path through entities. */
  readonly at: string;
  /** Where it is written, if the program records it. */
  readonly source?: SourceRef;
  /** For messages: the address of listener `main`. */
  readonly what: string;
  /** The text with its references. */
  readonly ref: string;
  /** What is wrong with the resolved text. The message omits the text, which may be a secret. */
  problem(): Misfit | undefined;
}

type Check = (value: string) => Misfit | undefined;

/** Every use of a reference in `before`; `after` is the same program, resolved. */
export function* usesOf(before: Program, after: Program): Iterable<ReferenceUse> {
  for (const [at, what, from, to, check] of places(before, after)) {
    if (from === undefined || typeof from === 'string') continue;
    yield { at, what, ref: from.$ref, problem: () => (typeof to === 'string' ? check(to) : undefined) };
  }
  for (const [index, policy] of before.policies.entries()) yield* usesOfPolicy(policy, after.policies[index]);
}

type Place = readonly [at: string, what: string, from: RefString | undefined, to: RefString | undefined, check: Check];

/** A host of a listener's `tls`, in messages. */
export const hostTitle = ({ names }: TlsHostEntry, index: number): string => `host ${names?.[0] ?? index + 1}`;

function* tlsPlaces(at: string, of: string, tls: TlsPolicyEntry | undefined): Iterable<Place> {
  yield [`${at}.cert`, `the certificate of ${of}`, tls?.cert, undefined, anyValue];
  yield [`${at}.key`, `the key of ${of}`, tls?.key, undefined, anyValue];
  for (const ca of tls?.client?.ca ?? []) yield [`${at}.client_ca`, `the client CA of ${of}`, ca, undefined, anyValue];
  for (const crl of tls?.client?.crl ?? []) yield [`${at}.client_crl`, `a CRL of ${of}`, crl, undefined, anyValue];
}

function* places(before: Program, after: Program): Iterable<Place> {
  for (const [index, { name, address, tls }] of before.listeners.entries()) {
    const to = after.listeners[index];
    yield [`listener.${name}.address`, `the address of listener \`${name}\``, address, to?.address, checkAddress];
    // The content of both files is checked together, in resolve.ts.
    yield* tlsPlaces(`listener.${name}.tls`, `listener \`${name}\``, tls);
    for (const [index, host] of (tls?.hosts ?? []).entries())
      yield* tlsPlaces(
        `listener.${name}.tls.hosts.${index}`,
        `${hostTitle(host, index)} of listener \`${name}\``,
        host,
      );
  }
  yield ['admin.address', 'the address of the admin API', before.admin.address, after.admin.address, checkAddress];
  yield ['admin.token', 'the token of the admin API', before.admin.token, after.admin.token, checkToken];
  yield* placesOfAcme(before.acme, after.acme);
  for (const [at, { name, targets, run, tls, discover }] of before.services.entries()) {
    const to = after.services[at];
    // As for listeners.
    yield [`service.${name}.tls.cert`, `the certificate of service \`${name}\``, tls?.cert, undefined, anyValue];
    yield [`service.${name}.tls.key`, `the key of service \`${name}\``, tls?.key, undefined, anyValue];
    for (const ca of tls?.ca ?? [])
      yield [`service.${name}.tls.ca`, `the CA of service \`${name}\``, ca, undefined, anyValue];
    for (const [index, { url }] of targets.entries())
      yield [
        `service.${name}.targets.${index}`,
        `a target of service \`${name}\``,
        url,
        to?.targets[index]?.url,
        checkUrl,
      ];
    yield [
      `service.${name}.discover.address`,
      `the source of service \`${name}\``,
      discover?.address,
      undefined,
      anyValue,
    ];
    yield [`service.${name}.discover.token`, `a token of service \`${name}\``, discover?.token, undefined, anyValue];
    for (const [key, value] of Object.entries(run?.env ?? {}))
      yield [
        `service.${name}.run.env.${key}`,
        `the variable ${key} of service \`${name}\``,
        value,
        to?.run?.env[key],
        checkVariable,
      ];
  }
  for (const [at, { name, credentials }] of before.consumers.entries())
    for (const [index, credential] of credentials.entries())
      yield* placesOfCredential(name, credential, after.consumers[at]?.credentials[index]);
}

function* placesOfAcme(before: Program['acme'], after: Program['acme']): Iterable<Place> {
  const account = before?.externalAccount;
  const to = after?.externalAccount;
  yield ['acme.external_account.id', 'the id of the external account', account?.id, to?.id, checkLine];
  yield ['acme.external_account.key', 'the key of the external account', account?.key, to?.key, checkBase64];
  for (const ca of before?.ca ?? []) yield ['acme.ca', 'the CA of `[acme]`', ca, undefined, anyValue];
}

function* placesOfCredential(
  consumer: string,
  before: CredentialEntry,
  after: CredentialEntry | undefined,
): Iterable<Place> {
  const { kind, id, name } = before;
  const at = `consumer.${consumer}`;
  const whose = `of consumer \`${consumer}\``;
  if (kind === 'key') yield [at, `an API key ${whose}`, id, after?.id, checkKey];
  else if (kind === 'certificate') yield [at, `a fingerprint ${whose}`, id, after?.id, checkFingerprint];
  else yield [at, `the ${kind === 'password' ? 'user name' : 'key id'} ${whose}`, id, after?.id, checkLine];
  if (kind === 'password')
    yield [at, `the password of ${name} ${whose}`, asReference(before.data), asReference(after?.data), checkPassword];
  if (kind === 'signature')
    yield [
      at,
      `the secret of ${name} ${whose}`,
      secretOf(before.data),
      secretOf(after?.data),
      checkSecret(before.data),
    ];
}

function asReference(value: Json | undefined): RefString | undefined {
  if (typeof value === 'string') return value;
  const ref = typeof value === 'object' && value !== null && '$ref' in value ? value['$ref'] : undefined;
  return typeof ref === 'string' ? { $ref: ref } : undefined;
}

const secretOf = (data: Json | undefined): RefString | undefined =>
  typeof data === 'object' && data !== null && 'key' in data ? asReference(data['key']) : undefined;

/** The leaves of a policy's config, such as header values. */
function* usesOfPolicy(before: PolicyEntry, after: PolicyEntry | undefined): Iterable<ReferenceUse> {
  const visit = function* (
    from: Json | undefined,
    to: Json | undefined,
    path: readonly string[],
  ): Iterable<ReferenceUse> {
    if (typeof from !== 'object' || from === null) return;
    const table = from as { readonly [key: string]: Json };
    const ref = table['$ref'];
    if (typeof ref === 'string' && Object.keys(table).length === 1) {
      const source = sourceOf(before, path);
      yield {
        at: `policy.${before.name}`,
        what: `\`${path.join('.')}\` of policy \`${before.name}\``,
        ref,
        problem: () => (typeof to === 'string' && !isPrivateKey(path, to) ? checkField(to) : undefined),
        ...(source === undefined ? {} : { source }),
      };
      return;
    }
    const other = (typeof to === 'object' && to !== null ? to : {}) as { readonly [key: string]: Json };
    for (const [key, item] of Object.entries(table)) yield* visit(item, other[key], [...path, key]);
  };
  yield* visit(before.config, after?.config, []);
}

function sourceOf({ origins }: PolicyEntry, path: readonly string[]): SourceRef | undefined {
  for (let length = path.length; length >= 0; length--) {
    const source = origins[path.slice(0, length).join('.')];
    if (source?.line !== undefined) return source;
  }
  return undefined;
}

const anyValue: Check = () => undefined;

/** Checks of a text that must be one line. */
function checkLine(value: string): Misfit | undefined {
  if (value === '') return { message: 'is empty', help: 'Give the variable or file a value, or write a default.' };
  if (/[\r\n]/.test(value)) {
    return {
      message: 'contains a line break',
      help: 'The value must be one line. A newline at the end of a file is ignored.',
    };
  }
  return undefined;
}

const checkAddress: Check = (value) =>
  checkLine(value) ??
  (addressProblem(value) === undefined
    ? undefined
    : { message: 'is not an address', help: 'An address is `host:port`, such as `127.0.0.1:8080` or `:8080`.' });

function checkUrl(value: string): Misfit | undefined {
  const line = checkLine(value);
  if (line) return line;
  if ((value.match(/https?:\/\//g) ?? []).length > 1) {
    return {
      message: 'contains more than one URL',
      help: 'Each entry of `targets` is one URL. Write a reference for each.',
    };
  }
  const wrong = /[\s,;]/.test(value) || urlProblem(value) !== undefined;
  return wrong
    ? {
        message: 'is not the URL of a target',
        help: 'A target is a scheme, a host and a port: `http://127.0.0.1:4003`.',
      }
    : undefined;
}

const checkToken: Check = (value) =>
  checkLine(value) ??
  (/^[\x21-\x7e]+$/.test(value)
    ? undefined
    : { message: 'is not a token', help: 'A token is printable ASCII without spaces.' });

const checkKey: Check = (value) =>
  checkLine(value) ??
  (/^sha256:[0-9a-f]{64}$/.test(value)
    ? undefined
    : { message: 'is not the hash of a key', help: 'Write `sha256:` and 64 lower-case hex digits.' });

const checkBase64: Check = (value) =>
  checkLine(value) ??
  (/^[\w-]+=*$/.test(value)
    ? undefined
    : { message: 'is not base64url', help: 'Write the key as the authority gives it: letters, digits, `-` and `_`.' });

const checkFingerprint: Check = (value) =>
  checkLine(value) ??
  (/^sha256:[0-9a-f]{64}$/.test(value)
    ? undefined
    : { message: 'is not a fingerprint', help: 'Write `sha256:` and 64 lower-case hex digits.' });

const checkPassword: Check = (value) =>
  checkLine(value) ??
  (PASSWORD_HASH.test(value)
    ? undefined
    : {
        message: 'is not the hash of a password',
        help: 'It is an argon2 or scrypt hash as a PHC string, or a bcrypt hash.',
      });

/** Of a credential for signatures. */
function checkSecret(data: Json | undefined): Check {
  const written = typeof data === 'object' && data !== null && 'encoding' in data ? data['encoding'] : undefined;
  const encoding = SECRET_ENCODINGS.find((one) => one === written) ?? 'text';
  return (value) => {
    const line = checkLine(value);
    if (line !== undefined) return line;
    const bytes = secretBytes(value, encoding)?.length;
    if (bytes === undefined)
      return { message: `is not ${encoding}`, help: 'Write the secret as `secret_encoding` says, or change that.' };
    if (bytes >= LEAST_SECRET) return undefined;
    const help = 'Make a new secret, such as by `openssl rand -hex 32`.';
    return { message: `has ${bytes} bytes, and a shared secret needs at least ${LEAST_SECRET}`, help };
  };
}

const checkVariable: Check = (value) =>
  value.includes('\0')
    ? { message: 'contains a NUL byte', help: 'Environment variables cannot contain NUL bytes.' }
    : undefined;

/** Whether the value is a private key, which may have several lines, for a key of the config that is for one: `key`, `client_key`. */
function isPrivateKey(path: readonly string[], value: string): boolean {
  if (!/^(?:\w+_)?key$/.test(path.at(-1) ?? '')) return false;
  return /^\s*-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----[\r\n]/.test(value) || isJwk(value);
}

function isJwk(text: string): boolean {
  if (!/^\s*\{/.test(text)) return false;
  try {
    return typeof (JSON.parse(text) as { readonly kty?: unknown }).kty === 'string';
  } catch {
    return false;
  }
}

function checkField(value: string): Misfit | undefined {
  if (/^[\t\x20-\x7e]*$/.test(value)) return undefined;
  if (/[\r\n]/.test(value)) return checkLine(value);
  return {
    message: 'contains a character that is not allowed in a header field',
    help: 'A field value is printable ASCII.',
  };
}
