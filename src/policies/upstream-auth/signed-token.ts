/** A token that gw signs for each request. */
import * as crypto from 'node:crypto';
import type { Attempt, Exchange, Json, Reply } from '../contract.js';
import { algorithmOfKey, SigningKey } from '../kits/jose/sign.js';
import { type Credential, type CredentialParts, present, resolved, templateOf, unavailable } from './credential.js';
import type { KindSettings } from './schema.js';

/** Throws for a key that cannot be used; the message omits it. */
export function signedToken(
  { key, algorithm, keyId, type, claims, lifetime }: Extract<KindSettings, { readonly kind: 'jwt' }>,
  { host, settings }: CredentialParts,
): Credential {
  const text = resolved(key, 'key');
  const alg = algorithm ?? algorithmOfKey(text);
  if (alg === undefined) throw new Error('The key is of a kind that no algorithm takes.');
  const signer = new SigningKey(text, alg, keyId);
  const templates = claims.map(([name, parts]) => [name, templateOf(parts)] as const);
  return {
    fields: [settings.header],
    apply(exchange: Exchange, attempt: Attempt): Reply | undefined {
      const iat = Math.floor(host.clock.now() / 1000);
      const payload: Record<string, Json> = {};
      for (const [name, template] of templates) {
        const value = template.render(exchange);
        if (value !== '') payload[name] = value;
        else if (REQUIRED.includes(name)) return unavailable(exchange, `no value for the claim ${name}`);
      }
      Object.assign(payload, { iat, exp: iat + Math.ceil(lifetime / 1000), jti: crypto.randomUUID() });
      present(attempt, settings, signer.sign(payload, { typ: type }));
      return undefined;
    },
  };
}

/** Without them the token would be one of another caller. */
const REQUIRED = ['iss', 'sub', 'aud'];
