/** Attacks on signed requests: each must be refused, whatever else is right about the request. */
import * as crypto from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Authentication } from '../../src/policies/contract.js';
import { bed, NOW, PUBLIC, SECRET, said, send, signer, URL_OF } from '../policies/http-signature-kit.js';
import { world } from '../policies/support.js';
import { Signer } from '../support/signer.js';
import { floodCaches } from '../support/stores.js';

const WRONG = 'The signature is not valid.';

test('replay: the same request again, at another host, path, method or query', async () => {
  const b = bed();
  assert.is(said(await send(b, { nonce: 'once' })), 'identity');
  assert.match(said(await send(b, { nonce: 'once' })), /used before/);
  for (const received of [
    { method: 'DELETE' },
    { target: '/orders/2' },
    { headers: { host: 'other.example.com' } },
    { target: '/./orders/1' },
    { target: '/orders/%31' },
  ])
    assert.is(said(await send(b, { received })), WRONG, JSON.stringify(received));
});

test('component stripping: a shorter list of components, or one that leaves out the added query or body', async () => {
  const b = bed();
  const { headers } = signer.request({ url: URL_OF, created: NOW });
  const shorter = headers['signature-input']!.replace(' "@path"', '');
  assert.match(
    said(await send(b, { received: { headers: { ...headers, 'signature-input': shorter } } })),
    /not cover "@path"/,
  );
  assert.match(said(await send(b, { received: { target: '/orders/1?admin=1' } })), /not cover "@query"/);
  assert.match(said(await send(b, { received: { target: '/orders/1?' } })), /not cover "@query"/);
  assert.match(said(await send(b, { received: { body: 'added' } })), /not cover "content-digest"/);
});

test('a member of a digest that gw does not verify covers nothing', async () => {
  const b = bed();
  const digest = `md5=:AA==:, sha-256=:${crypto.createHash('sha256').update('forged').digest('base64')}:`;
  const covered = ['@method', '@target-uri', 'content-digest";key="md5'];
  const found = await send(b, { method: 'POST', body: 'forged', covered, headers: { 'content-digest': digest } });
  assert.match(said(found), /not cover "content-digest"/);
});

test('duplicated fields and labels: which one counts is not left to chance', async () => {
  const b = bed();
  const { headers } = signer.request({ url: URL_OF, created: NOW });
  const doubled = {
    'signature-input': `${headers['signature-input']}, ${headers['signature-input']}`,
    signature: `${headers['signature']}, ${headers['signature']}`,
  };
  assert.match(said(await send(b, { received: { headers: doubled } })), /label twice/);
  const covered = ['@method', '@target-uri', 'x-role'];
  const twice = { covered, headers: { 'x-role': 'user' }, received: { headers: { 'x-role': 'user, admin' } } };
  assert.is(said(await send(b, twice)), WRONG);
  const same = await send(b, { covered: ['@method', '@target-uri', '@method'] });
  assert.match(said(same), /covers "@method" twice/);
});

test('digest mismatch: another body under the same head, one digest of two wrong', async () => {
  const b = bed();
  assert.match(said(await send(b, { method: 'POST', body: 'a', received: { body: 'b' } })), /not have the digest/);
  const sha256 = crypto.createHash('sha256').update('a').digest('base64');
  const sha512 = crypto.createHash('sha512').update('b').digest('base64');
  const headers = { 'content-digest': `sha-256=:${sha256}:, sha-512=:${sha512}:` };
  assert.match(said(await send(b, { method: 'POST', body: 'a', headers })), /not have the digest/);
  const emptied = await send(b, { method: 'POST', body: 'a', collect: async () => new Uint8Array(0) });
  assert.match(said(emptied), /not have the digest/);
});

test('algorithm confusion: the public key as a secret, and another alg in the signature', async () => {
  const b = bed();
  for (const secret of [PUBLIC, PUBLIC.trim()]) {
    const by = new Signer({ keyid: 'k1', key: crypto.createSecretKey(Buffer.from(secret)) });
    for (const alg of ['hmac-sha256', 'ed25519']) assert.is(said(await send(b, { by, alg })), WRONG);
    assert.is(said(await send(b, { by })), WRONG);
  }
  for (const alg of ['hmac-sha256', 'rsa-pss-sha512', 'none', '']) assert.is(said(await send(b, { alg })), WRONG, alg);
  assert.is(said(await send(b, { alg: 'ed25519' })), 'identity');
});

test('an unknown key id and a wrong signature are told the same', async () => {
  const b = bed();
  const other = crypto.generateKeyPairSync('ed25519').privateKey;
  const wrong = await send(b, { by: new Signer({ keyid: 'k1', key: other }) });
  const unknown = await send(b, { by: new Signer({ keyid: 'none', key: other }) });
  assert.equal(unknown, wrong);
  for (const alg of ['ecdsa-p256-sha256', 'ecdsa-p384-sha384', 'rsa-pss-sha512', 'rsa-v1_5-sha256', 'hmac-sha256'])
    assert.equal(await send(b, { by: new Signer({ keyid: 'none', key: other }), alg }), wrong);
});

test('line breaks, quotes and huge fields in what is signed are refused without an exception', async () => {
  const b = bed();
  const inputs = [
    '',
    'sig1=',
    'sig1=()',
    'sig1=("@method"',
    `sig1=(${'"a" '.repeat(20_000)})`,
    'sig1=("@method\\"\\n");created=1;keyid="k1"',
    `sig1=("@method");created=1e3;keyid="k1"`,
    `sig1=("@method");created=99999999999999999999;keyid="k1"`,
    'SIG1=("@method");created=1;keyid="k1"',
    'sig1=("@query-param";name="\u00e9");created=1;keyid="k1"',
  ];
  for (const input of inputs) {
    const found = await send(b, { received: { headers: { 'signature-input': input } } });
    assert.is(found.outcome, 'refused', input.slice(0, 50));
  }
});

test('replay: a body that is held back until the nonce is forgotten', async () => {
  const b = bed('max_age = "60s"\nleeway = "0s"');
  const sent = { method: 'POST', body: 'a', nonce: 'held' };
  assert.is(said(await send(b, sent)), 'identity');
  // The head comes while the signature is accepted, the body when it is not any more.
  const collect = async (): Promise<Uint8Array> => {
    b.around.wall = (NOW + 61) * 1000;
    return Buffer.from('a');
  };
  assert.is(said(await send(b, { ...sent, collect })), 'The signature is too old.');
});

test('component stripping: a signed field that Connection removes on the way to the target', async () => {
  const b = bed();
  const covered = ['@method', '@target-uri', 'x-role'];
  for (const connection of ['x-role', 'close, X-Role']) {
    const found = await send(b, { covered, headers: { 'x-role': 'guest' }, received: { headers: { connection } } });
    assert.is(said(found), 'Connection removes the signed field "x-role".');
  }
  const close = { covered, headers: { 'x-role': 'guest' }, received: { headers: { connection: 'close' } } };
  assert.is(said(await send(b, close)), 'identity');
});

test('replay: after a flood of the cache that other policies share', async () => {
  const b = bed();
  assert.is(said(await send(b, { nonce: 'once' })), 'identity');
  floodCaches(b.around.stores);
  assert.match(said(await send(b, { nonce: 'once' })), /used before/);
});

test('replay: after a flood of valid signatures, which does not shut out other callers', async () => {
  const around = world();
  const credential = {
    kind: 'signature',
    name: 'quiet',
    id: 'k2',
    data: { algorithm: 'hmac-sha256', key: SECRET },
  } as const;
  around.consumers.push({ name: 'quiet', groups: [], credentials: [credential], tags: {} });
  const b = bed('', around);
  const found: Authentication[] = [];
  for (let at = 0; at < 5000; at++) found.push(await send(b, { nonce: `n${at}` }));
  const full = found.find(({ outcome }) => outcome !== 'identity');
  assert.ok(full?.outcome === 'refused');
  assert.equal([full.problem.status, full.problem.code], [503, 'auth/replay-window']);
  for (const at of [0, 1, 1000, 2000]) assert.match(said(await send(b, { nonce: `n${at}` })), /used before/);
  const quiet = new Signer({ keyid: 'k2', key: crypto.createSecretKey(Buffer.from(SECRET)) });
  for (let at = 0; at < 20; at++) assert.is(said(await send(b, { by: quiet })), 'identity');
});

test.run();
