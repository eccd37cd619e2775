/** Attacks on rules about access, lists and pages, by name. */
import { request as httpRequest } from 'node:http';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { verdictOf } from '../../src/policies/authzen/decision.js';
import { readList } from '../../src/policies/block/entries.js';
import { call, closeAll, removeFolders, SpecFile, startGateway, startOrigin } from '../integration/control-kit.js';
import { create, exchange } from '../policies/support.js';

test.after.each(closeAll);
test.after(removeFolders);

const specOf = (target: string, policy: string, listener = ''): string => `spec = 1
[listener.main]
address = "127.0.0.1:0"
${listener}
[service.shop]
targets = ["${target}"]
[policy.own]
${policy}
[[route]]
name = "shop"
match = "/{path...}"
to = "shop"
policies = ["own"]
`;

async function bed(policy: string, listener = '') {
  const origin = await startOrigin();
  const { url } = await startGateway({ spec: new SpecFile(specOf(origin.url, policy, listener)).path });
  return (headers: Record<string, string>, method = 'POST'): Promise<number> =>
    call(`${url}/cart`, { method, headers }).then(({ status }) => status);
}

test('CSRF: a form of another site', async () => {
  const send = await bed('use = "csrf"');
  const cookie = 'sid=1';
  assert.is(await send({ cookie, origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }), 403);
  assert.is(await send({ cookie, origin: 'https://evil.example' }), 403);
  assert.is(await send({ cookie, origin: 'null' }), 403);
  assert.is(await send({ cookie, referer: 'https://evil.example/127.0.0.1' }), 403);
});

test('CSRF: two Origin fields, or one that begins like the right one', async () => {
  const send = await bed('use = "csrf"\ntrusted_origins = ["https://app.example"]');
  assert.is(await send({ origin: 'https://app.example' }), 200);
  assert.is(await send({ origin: 'https://app.example, https://evil.example' }), 403);
  assert.is(await send({ origin: 'https://app.example.evil.example' }), 403);
  assert.is(await send({ origin: 'https://app.example@evil.example' }), 403);
  assert.is(await send({ origin: 'HTTPS://app.example' }), 403);
});

test('cross-site WebSocket: the handshake of another site is refused', async () => {
  const origin = await startOrigin();
  const { url } = await startGateway({ spec: new SpecFile(specOf(origin.url, 'use = "csrf"')).path });
  const status = await new Promise<number>((resolve, reject) => {
    const headers = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'sec-websocket-version': '13',
      origin: 'https://evil.example',
      cookie: 'sid=1',
    };
    const request = httpRequest(`${url}/socket`, { headers, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on('upgrade', () => reject(new Error('the connection was upgraded')));
    request.on('error', reject);
    request.end();
  });
  assert.is(status, 403);
});

test('a forged X-Forwarded-For passes no list', async () => {
  const send = await bed('use = "block"\naddresses = ["127.0.0.1"]');
  assert.is(await send({ 'x-forwarded-for': '198.51.100.1' }), 403);
  const behind = await bed('use = "block"\naddresses = ["203.0.113.0/24"]', 'trusted_proxies = ["127.0.0.1"]');
  assert.is(await behind({ 'x-forwarded-for': '203.0.113.9' }), 403);
  assert.is(await behind({ 'x-forwarded-for': '198.51.100.1, 203.0.113.9' }), 403);
  assert.is(await behind({ 'x-forwarded-for': '::ffff:203.0.113.9' }), 403);
});

test('a method in small letters is another method', async () => {
  const send = await bed('use = "allow"\nmethods = ["GET"]');
  assert.is(await send({}, 'GET'), 200);
  assert.is(await send({}, 'POST'), 403);
  const policy = create('allow', 'methods = ["GET"]');
  const refused = policy.before!(exchange({ method: 'get' }));
  assert.ok(refused !== undefined);
});

test('a scope, role or claim that only contains another one', () => {
  const denied = (keys: string, claims: { readonly [name: string]: string | readonly string[] }): void =>
    assert.ok(create('allow', keys).before!(exchange({ claims })) !== undefined, JSON.stringify(claims));
  denied('scopes = ["admin"]', { scope: 'admin:read xadmin admin,' });
  denied('scopes = ["admin"]', { scope: 'x\tadmin' });
  denied('scopes = ["admin"]', { scp: ['x admin'] });
  denied('roles = ["admin"]', { roles: 'admin user' });
  denied('roles = ["admin"]', { roles: ['Admin'] });
  denied('claims = { tenant = "a" }', { tenant: 'a ' });
});

test('a claim by the name of a member of objects', () => {
  for (const name of ['__proto__', 'constructor', 'toString', 'constructor.name'])
    assert.ok(
      create('allow', `claims = { "${name}" = "Object" }`).before!(exchange({ claims: {} })) !== undefined,
      name,
    );
});

test('a list that became an error page is not used', () => {
  for (const text of ['<html>', '', '{"error":"x"}', '["203.0.113.1", "nonsense"]', '203.0.113.1\n\0'])
    assert.ok('message' in readList(text, 'addresses'), text);
});

test('a decision that only looks like a permit', () => {
  for (const text of [
    '{"decision":"true"}',
    '{"decision":1}',
    '{"decision":[true]}',
    '{"decision":{}}',
    '{"Decision":true}',
    '{}',
  ])
    assert.is(verdictOf(Buffer.from(text), 0, 'all', [])?.permit, false, text);
  for (const text of ['{"decision":false,"decision":true}', 'true', '\ufeff{"decision":true}', '{"decision":true}{}'])
    assert.is(verdictOf(Buffer.from(text), 0, 'all', []), undefined, text);
});

test.run();
