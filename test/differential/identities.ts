/** The credentials of random requests: keys, tokens and passwords, right and wrong ones. */
import { createHash, createHmac } from 'node:crypto';
import bcrypt from 'bcryptjs';

export const KEYS = ['key-of-acme', 'key-of-beta', 'key-of-none', 'old-key-of-acme', 'key-of-gone'];
const hashOf = (key: string): string => `sha256:${createHash('sha256').update(key).digest('hex')}`;

/** Of the shared secret of tokens. */
export const ENV = { TOKEN_SECRET: 'a shared secret of at least thirty-two bytes' };
/** When the runs begin. */
export const START = Date.UTC(2026, 0, 1);

type Claims = { readonly [name: string]: unknown };

function token(claims: Claims, secret = ENV.TOKEN_SECRET): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const seconds = START / 1000;
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ iss: 'id', exp: seconds + 10 * 365 * 86_400, ...claims })}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

export const TOKENS = [
  token({ sub: 'acme', scope: 'read write' }),
  token({ sub: 'beta', scope: 'read' }),
  token({ sub: 'gone' }),
  token({ sub: 'stranger', scope: 'read' }),
  token({ sub: 'acme', exp: START / 1000 - 3600 }),
  token({ sub: 'acme', iss: 'other' }),
  token({ sub: 'acme' }, 'another secret'),
  'no.token',
];

/** Of the disabled consumer, with the scope that policies ask for: an assumed consumer has every scope. */
export const DISABLED_TOKEN = token({ sub: 'gone', scope: 'read write' });

export const PASSWORDS = ['ada:right', 'ada:wrong', 'bob:right', 'eve:any'].map(
  (pair) => `Basic ${Buffer.from(pair).toString('base64')}`,
);

/** The lowest cost: each request may be hashed. */
const HASH = bcrypt.hashSync('right', 4);

/** Consumers with every kind of attribute: expired, disabled, limited to addresses. */
export const CONSUMERS = `[consumer.acme]
plan = "gold"
groups = ["partners"]
tags = { region = "eu" }
api_keys = ["${hashOf(KEYS[0]!)}"]
[[consumer.acme.credentials]]
name = "old"
key = "${hashOf(KEYS[3]!)}"
expires = 2025-12-31T00:00:00Z
[[consumer.acme.credentials]]
name = "ada"
username = "ada"
password = "${HASH}"
[consumer.beta]
[[consumer.beta.credentials]]
name = "office"
key = "${hashOf(KEYS[1]!)}"
addresses = ["127.0.0.0/8", "9.9.9.9"]
[[consumer.beta.credentials]]
name = "bob"
username = "bob"
password = "${HASH}"
disabled = true
[consumer.gone]
disabled = true
api_keys = ["${hashOf(KEYS[4]!)}"]
`;
