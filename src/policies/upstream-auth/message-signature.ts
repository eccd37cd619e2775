/** HTTP message signatures of requests to targets, RFC 9421. */
import * as crypto from 'node:crypto';
import type { Attempt, Exchange, Reply } from '../contract.js';
import {
  type Component,
  componentNamed,
  componentValue,
  contentDigest,
  isSignatureAlgorithm,
  keyFault,
  makeInput,
  normalAuthority,
  openSecret,
  type SignatureKey,
  type SignedRequest,
  sign,
  signatureBase,
  signatureFields,
  usualAlgorithm,
} from '../kits/http-signature/index.js';
import { type Credential, type CredentialParts, resolved, unavailable } from './credential.js';
import type { KindSettings } from './schema.js';

type SignatureSettings = Extract<KindSettings, { readonly kind: 'signature' }>;

const DIGEST = componentNamed('content-digest');
const isDigest = ({ id }: Component): boolean => id === DIGEST.id;

/** Throws for a key that cannot be used; the message omits it. */
export function messageSignature(settings: SignatureSettings, { host }: CredentialParts): Credential {
  const { components, digest, label, tag, lifetime, keyId: keyid } = settings;
  const key = openSigningKey(settings);
  const wanted = components.map(componentNamed);
  return {
    fields: ['signature', 'signature-input'],
    apply(exchange: Exchange, attempt: Attempt): Reply | undefined {
      const { body } = attempt;
      if (body === undefined && attempt.hasBody) return unavailable(exchange, 'the body was not collected');
      if (body !== undefined) attempt.set('content-digest', contentDigest(body, digest));
      const request = signedAttempt(attempt);
      // A field that is added on the way could not be told from one that was signed; one that is absent cannot be signed.
      const present = wanted.filter((component) => componentValue(component, request) !== undefined);
      // Section 2: a component occurs once, also one that the spec lists too.
      const all = body === undefined || present.some(isDigest) ? present : [...present, DIGEST];
      const created = Math.floor(host.clock.now() / 1000);
      const expires = lifetime === undefined ? undefined : created + Math.ceil(lifetime / 1000);
      const input = makeInput(all, { created, expires, nonce: crypto.randomUUID(), keyid, tag });
      const base = signatureBase(request, input);
      if (typeof base !== 'string') return unavailable(exchange, `the component ${base.missing.id} cannot be signed`);
      const [inputField, signatureField] = signatureFields(label, input, sign(key, base));
      attempt.set('signature-input', inputField);
      attempt.set('signature', signatureField);
      return undefined;
    },
  };
}

/** An attempt as the target sees it. */
export function signedAttempt(attempt: Attempt): SignedRequest {
  const { path: requestTarget, method } = attempt;
  const scheme = attempt.target.startsWith('https:') ? 'https' : 'http';
  const question = requestTarget.indexOf('?');
  return {
    method,
    scheme,
    authority: normalAuthority(attempt.host, scheme),
    requestTarget,
    path: question < 0 ? requestTarget : requestTarget.slice(0, question),
    query: question < 0 ? undefined : requestTarget.slice(question + 1),
    values(name) {
      const value = attempt.header(name);
      return value === undefined ? [] : [value];
    },
  };
}

function openSigningKey({ key, algorithm, secretEncoding }: SignatureSettings): SignatureKey {
  const text = resolved(key, 'key');
  const opened = algorithm === 'hmac-sha256' ? openSecret(text, secretEncoding) : privateKeyOf(text);
  if (typeof opened === 'string') throw new Error(`The key cannot be used: ${opened}.`);
  const chosen = algorithm ?? usualAlgorithm(opened);
  const fault = isSignatureAlgorithm(chosen) ? keyFault(opened, chosen) : 'no algorithm takes a key of its kind';
  if (fault !== undefined) throw new Error(`The key cannot be used: ${fault}.`);
  return { algorithm: chosen!, key: opened };
}

function privateKeyOf(text: string): crypto.KeyObject {
  try {
    if (!/^\s*\{/.test(text)) return crypto.createPrivateKey(text);
    return crypto.createPrivateKey({ key: JSON.parse(text) as crypto.JsonWebKey, format: 'jwk' });
  } catch {
    // The cause may quote the text.
    throw new Error('The key is neither a private key as PEM nor one as JWK.');
  }
}
