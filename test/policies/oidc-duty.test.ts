/** What the duty of oidc accepts of an issuer, and what it sends to it. */
import { generateKeyPairSync, verify } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { DutyFetchOptions, DutyInstance, DutyReply, Json } from '../../src/policies/contract.js';
import { createDuty } from '../../src/policies/oidc/duty.js';
import { signer } from './jwt-kit.js';
import { CONFIG, ISSUER, SITE } from './oidc-kit.js';
import { compile } from './support.js';

type Table = { readonly [name: string]: unknown };
type Answer = { readonly status?: number; readonly body: Table | string } | Error;

const key = await signer('ES256', 'k1');

const METADATA = {
  issuer: ISSUER,
  authorization_endpoint: `${ISSUER}/authorize`,
  token_endpoint: 'https://tokens.example.com/token',
  userinfo_endpoint: `${ISSUER}/userinfo`,
  pushed_authorization_request_endpoint: `${ISSUER}/push`,
  jwks_uri: `${ISSUER}/keys`,
};

interface Sent extends DutyFetchOptions {
  readonly url: string;
}

class World {
  now = 1_000_000;
  published: Json | undefined;
  readonly sent: Sent[] = [];
  readonly answers: Record<string, Answer> = {
    [`${ISSUER}/.well-known/openid-configuration`]: { body: METADATA },
    [`${ISSUER}/keys`]: { body: { keys: [key.jwk] } },
  };
  readonly duty: DutyInstance;

  constructor(text = '', client: Table = { method: 'client_secret_basic', id: 'shop', secret: 'a:b' }) {
    const settings = { ...(compile('oidc', CONFIG + text, { name: 'login' }) as object), client } as Json;
    const quiet = (): void => {};
    this.duty = createDuty(settings, {
      name: 'login',
      clock: { now: () => this.now, monotonic: () => this.now },
      random: () => 0.5,
      logger: { debug: quiet, info: quiet, warn: quiet, error: quiet },
      fetch: (url, options = {}) => this.#fetch(url, options),
      publish: (value) => {
        this.published = value;
      },
      last: undefined,
    });
  }

  #fetch(url: string, options: DutyFetchOptions): Promise<DutyReply> {
    this.sent.push({ url, ...options });
    const answer = this.answers[url] ?? { status: 404, body: '' };
    if (answer instanceof Error) return Promise.reject(answer);
    const { body, status = 200 } = answer;
    const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
    return Promise.resolve({ status, headers: { 'cache-control': 'max-age=600' }, body: bytes });
  }

  ask(question: Json): Promise<Table> {
    return this.duty.ask!(question) as unknown as Promise<Table>;
  }
}

test('endpoints and keys are published together, and run again when they are due', async () => {
  const world = new World();
  assert.is(await world.duty.run(), 600_000);
  const { endpoints, keys } = world.published as unknown as { endpoints: Table; keys: unknown[] };
  assert.equal(endpoints, {
    authorization: `${ISSUER}/authorize`,
    token: 'https://tokens.example.com/token',
    userinfo: `${ISSUER}/userinfo`,
    push: `${ISSUER}/push`,
    pushRequired: false,
    sendsIssuer: false,
  });
  assert.is(keys.length, 1);
});

test('metadata that are wrong are not used', async () => {
  const wrong: readonly (readonly [string, Table | string, RegExp])[] = [
    ['another issuer', { ...METADATA, issuer: 'https://evil.example' }, /another issuer/],
    ['no issuer', { ...METADATA, issuer: undefined }, /another issuer/],
    ['a token endpoint over http', { ...METADATA, token_endpoint: 'http://id.example.com/token' }, /token_endpoint/],
    ['no token endpoint', { ...METADATA, token_endpoint: undefined }, /no token_endpoint/],
    ['no page to sign in', { ...METADATA, authorization_endpoint: undefined }, /no authorization_endpoint/],
    [
      'a page that is a script',
      { ...METADATA, authorization_endpoint: 'javascript:alert(1)' },
      /authorization_endpoint/,
    ],
    [
      'a page with credentials',
      { ...METADATA, authorization_endpoint: 'https://a:b@id.example.com/' },
      /authorization_endpoint/,
    ],
    ['a logout over http', { ...METADATA, end_session_endpoint: 'http://id.example.com/' }, /end_session_endpoint/],
    ['keys over http', { ...METADATA, jwks_uri: 'http://id.example.com/keys' }, /jwks_uri/],
    ['no JSON', '<html>', /JSON/],
    ['a list', '[]', /JSON/],
    ['a name twice', '{"issuer":"a","issuer":"b"}', /JSON/],
  ];
  for (const [what, body, cause] of wrong) {
    const world = new World();
    world.answers[`${ISSUER}/.well-known/openid-configuration`] = { body };
    const error = await world.duty.run().catch((one: unknown) => one);
    assert.match(String(error), cause, what);
    assert.is(world.published, undefined, what);
    assert.equal(await world.ask({ do: 'refresh', token: 'x' }), {
      fault: 'outage',
      cause: 'the issuer was not discovered yet',
    });
  }
});

test('a code is exchanged with its verifier and the redirect URI, and the client is authenticated', async () => {
  const world = new World();
  await world.duty.run();
  world.answers[METADATA.token_endpoint] = {
    body: { access_token: 'a', token_type: 'Bearer', expires_in: 60, id_token: 'i', refresh_token: 'r' },
  };
  assert.equal(await world.ask({ do: 'code', code: 'c', verifier: 'v' }), {
    access: 'a',
    type: 'bearer',
    expiresIn: 60_000,
    refresh: 'r',
    idToken: 'i',
  });
  const { body, headers, method } = world.sent.at(-1)!;
  assert.is(method, 'POST');
  assert.is(headers?.['authorization'], `Basic ${Buffer.from('shop:a%3Ab').toString('base64')}`);
  assert.equal(Object.fromEntries(new URLSearchParams(body)), {
    grant_type: 'authorization_code',
    code: 'c',
    redirect_uri: `${SITE}/oauth2/callback`,
    code_verifier: 'v',
  });
});

test('the client can authenticate by a secret in the form, by a key, or not at all', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const clients: Record<string, Table> = {
    post: { method: 'client_secret_post', id: 'shop', secret: 's' },
    key: { method: 'private_key_jwt', id: 'shop', key: pem, algorithm: 'ES256' },
    none: { method: 'none', id: 'shop' },
  };
  const forms: Record<string, Record<string, string>> = {};
  for (const [name, client] of Object.entries(clients)) {
    const world = new World('', client);
    await world.duty.run();
    await world.ask({ do: 'refresh', token: 'x' });
    const { body, headers } = world.sent.at(-1)!;
    assert.is(headers?.['authorization'], undefined);
    forms[name] = Object.fromEntries(new URLSearchParams(body)) as Record<string, string>;
    assert.is(forms[name]!['client_id'], 'shop');
  }
  assert.is(forms['post']!['client_secret'], 's');
  assert.is(forms['none']!['client_secret'], undefined);
  const [header, payload, signature] = forms['key']!['client_assertion']!.split('.');
  const input = Buffer.from(`${header}.${payload}`);
  const bytes = Buffer.from(signature!, 'base64url');
  assert.ok(verify('sha256', input, { key: publicKey, dsaEncoding: 'ieee-p1363' }, bytes));
  const claims = JSON.parse(Buffer.from(payload!, 'base64url').toString()) as Table;
  assert.equal([claims['iss'], claims['sub'], claims['aud']], ['shop', 'shop', METADATA.token_endpoint]);
});

test('refusals and outages of the token endpoint are told apart, and a slow one is an outage', async () => {
  const world = new World();
  await world.duty.run();
  const answers: readonly (readonly [string, Answer, string])[] = [
    ['a code that was used', { status: 400, body: { error: 'invalid_grant' } }, 'refused'],
    ['a wrong secret', { status: 401, body: { error: 'invalid_client' } }, 'refused'],
    ['too many requests', { status: 429, body: '' }, 'outage'],
    ['a failure', { status: 500, body: '<html>' }, 'outage'],
    ['a redirect', { status: 302, body: '' }, 'outage'],
    ['a page', { body: '<html>' }, 'outage'],
    ['no token', { body: { token_type: 'Bearer' } }, 'outage'],
    ['a token with a line end', { body: { token_type: 'Bearer', access_token: 'a\r\nx: y' } }, 'outage'],
    ['no reply in time', new Error('no reply within 10000 ms'), 'outage'],
    ['no connection', new Error('connection refused'), 'outage'],
  ];
  for (const [what, answer, fault] of answers) {
    world.answers[METADATA.token_endpoint] = answer;
    const given = await world.ask({ do: 'refresh', token: 'secret-token' });
    assert.is(given['fault'], fault, what);
    assert.not.match(String(given['cause']), /secret-token/);
  }
});

test('a code or refresh token that a second worker sends, since the first one has ended, is sent once', async () => {
  const world = new World();
  await world.duty.run();
  const granted = (refresh: string | undefined): void => {
    world.answers[METADATA.token_endpoint] = {
      body: { access_token: 'a', token_type: 'Bearer', expires_in: 60, id_token: 'i', refresh_token: refresh },
    };
  };
  const requests = async (question: Json): Promise<number> => {
    const before = world.sent.length;
    const first = await world.ask(question);
    assert.equal(await world.ask(question), first);
    return world.sent.length - before;
  };
  granted('next');
  assert.is(await requests({ do: 'code', code: 'c', verifier: 'v' }), 1);
  assert.is(await requests({ do: 'code', code: 'c', verifier: 'other' }), 1, 'another verifier is another question');
  assert.is(await requests({ do: 'refresh', token: 'r' }), 1);
  world.now += 60_000;
  assert.is(await requests({ do: 'refresh', token: 'r' }), 1, 'the first answer is forgotten');
  world.now += 60_000;
  for (const same of ['r', undefined]) {
    granted(same);
    assert.is(await requests({ do: 'refresh', token: same ?? 'x' }), 2, 'the refresh token stays the same');
  }
  world.answers[METADATA.token_endpoint] = { status: 503, body: '' };
  assert.is(await requests({ do: 'refresh', token: 'y' }), 2, 'an outage is no answer');
  granted('next');
  for (let at = 0; at < 3000; at++) await world.ask({ do: 'refresh', token: `many-${at}` });
  assert.is(await requests({ do: 'refresh', token: 'many-0' }), 1, 'the oldest has left');
  assert.is(await requests({ do: 'refresh', token: 'many-2999' }), 0);
});

test('userinfo and pushed requests', async () => {
  const world = new World();
  await world.duty.run();
  world.answers[`${ISSUER}/userinfo`] = { body: { sub: 'ann' } };
  assert.equal(await world.ask({ do: 'userinfo', token: 't' }), { table: { sub: 'ann' } });
  assert.is(world.sent.at(-1)?.headers?.['authorization'], 'Bearer t');
  world.answers[`${ISSUER}/push`] = { status: 201, body: { request_uri: 'urn:x' } };
  assert.equal(await world.ask({ do: 'push', params: [['scope', 'openid']] }), { table: { request_uri: 'urn:x' } });
  assert.is(world.sent.at(-1)?.body, 'scope=openid');
});

test('a question about keys causes a fetch at most once in the cooldown', async () => {
  const world = new World();
  await world.duty.run();
  const fetches = world.sent.length;
  world.now += 60_000;
  for (let round = 0; round < 5; round++) await world.ask(world.now);
  assert.is(world.sent.length, fetches + 2);
});

test.run();
