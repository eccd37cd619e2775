/**
 * Tokens of the signed double submit: `RANDOM.MAC`, where MAC is an HMAC over the session and RANDOM. A page of another site can
 * neither read the cookie nor set the field; a token of another session does not verify.
 */
import * as crypto from 'node:crypto';

const RANDOM_BYTES = 16;
const SHAPE = /^[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}$/;

/** `session`: what the token is bound to; it may be empty. */
export function newToken(secret: string, session: string): string {
  const random = crypto.randomBytes(RANDOM_BYTES).toString('base64url');
  return `${random}.${mac(secret, session, random)}`;
}

/** Whether one of the secrets has signed the token for this session. */
export function isToken(token: string, secrets: readonly string[], session: string): boolean {
  if (!SHAPE.test(token)) return false;
  const [random = '', found = ''] = token.split('.');
  return secrets.some((secret) => sameText(mac(secret, session, random), found));
}

/** The length of the session separates it from what follows. */
const mac = (secret: string, session: string, random: string): string =>
  crypto.createHmac('sha256', secret).update(`${session.length}!${session}!${random}`).digest('base64url');

/** In a time that does not depend on the texts. */
export function sameText(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && crypto.timingSafeEqual(a, b);
}
