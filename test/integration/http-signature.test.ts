/** Signed requests over sockets, from a client with its own signing code, to a gateway with two workers. */
import * as crypto from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type RequestToSign, Signer } from '../support/signer.js';
import { type Answer, call, closeAll, removeFolders, SpecFile, serveHttp, startGateway } from './control-kit.js';

test.after.each(closeAll);
test.after(removeFolders);

const pair = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ecdsa = new Signer({
  keyid: 'acme-2027',
  key: pair.privateKey,
  sign: (base) => crypto.sign('sha256', base, { key: pair.privateKey, dsaEncoding: 'ieee-p1363' }),
});
const hmac = new Signer({ keyid: 'shared', key: crypto.createSecretKey(Buffer.alloc(40, 's')) });

/** A target that notes what it gets. */
async function startTarget(): Promise<{ url: string; got: string[]; bytes: () => number }> {
  const got: string[] = [];
  let bytes = 0;
  const { url } = await serveHttp((request, response) => {
    request.on('data', (part: Buffer) => (bytes += part.length));
    request.on('end', () => {
      const { method, url, headers } = request;
      got.push(`${method} ${url} ${headers['x-consumer']} ${headers['signature'] ?? 'unsigned'}`);
      response.end('ok');
    });
  });
  return { url, got, bytes: () => bytes };
}

const specOf = (target: string): string => `spec = 1
workers = 2
[listener.main]
address = "127.0.0.1:0"
[service.orders]
targets = ["${target}"]
[consumer.acme]
[[consumer.acme.credentials]]
key_id = "acme-2027"
algorithm = "ecdsa-p256-sha256"
public_key = """${pair.publicKey.export({ type: 'spki', format: 'pem' }).toString()}"""
[[consumer.acme.credentials]]
key_id = "acme-2026"
algorithm = "hmac-sha256"
secret = "\${env:SIGNATURE_TEST_SECRET}"
disabled = true
[[consumer.acme.credentials]]
key_id = "acme-2025"
algorithm = "hmac-sha256"
secret = "\${env:SIGNATURE_TEST_SECRET}"
expires = 2025-01-01T00:00:00Z
[policy.signed]
use = "http-signature"
max_body = "8KiB"
keys = [{ id = "shared", secret = "\${env:SIGNATURE_TEST_SECRET}" }]
[policy.caller]
use = "headers"
request.set = { x-consumer = "{consumer.name}" }
[[route]]
name = "orders"
match = "/orders/{rest...}"
to = "orders"
policies = ["signed", "caller"]
`;

async function start() {
  process.env['SIGNATURE_TEST_SECRET'] = 's'.repeat(40);
  const target = await startTarget();
  const { url, log } = await startGateway({ spec: new SpecFile(specOf(target.url)).path });
  const send = (request: RequestToSign, by = ecdsa): Promise<Answer> => {
    const { method, headers, body } = by.request(request);
    return call(request.url, { method, headers: { ...headers }, ...(body === undefined ? {} : { body }) });
  };
  return { target, url: `${url}/orders`, send, log };
}

test('a key that is disabled or has expired gets the answer of an unknown one, with the challenge', async () => {
  const { url, send } = await start();
  const key = crypto.createSecretKey(Buffer.alloc(40, 's'));
  const answers = [];
  for (const keyid of ['acme-2026', 'acme-2025', 'unknown']) {
    const { status, headers, body } = await send({ url: `${url}/1` }, new Signer({ keyid, key }));
    const { instance: _, request_id: __, ...problem } = JSON.parse(body) as { [name: string]: string };
    answers.push([status, headers['www-authenticate'], headers['accept-signature'], problem]);
  }
  assert.is(answers[0]![1], 'Signature realm="api"');
  assert.equal(answers[0], answers[2]);
  assert.equal(answers[1], answers[2]);
});

const detail = ({ body }: Answer): string => (JSON.parse(body) as { detail: string }).detail;

test('signed requests reach the target as their consumer, without the signature', async () => {
  const { target, url, send } = await start();
  assert.is((await send({ url: `${url}/1?a=b%20c` })).status, 200);
  assert.is((await send({ url: `${url}/../orders/2`, method: 'POST', body: 'x'.repeat(5000) })).status, 200);
  assert.is((await send({ url: `${url}/3` }, hmac)).status, 200);
  assert.equal(target.got, [
    'GET /orders/1?a=b%20c acme unsigned',
    'POST /orders/2 acme unsigned',
    'GET /orders/3 undefined unsigned',
  ]);
});

test('a body with another digest, or too large, reaches no target with any byte', async () => {
  const { target, url, send } = await start();
  const forged = await send({
    url: `${url}/1`,
    method: 'POST',
    body: 'x'.repeat(5000),
    headers: { 'content-digest': `sha-256=:${crypto.createHash('sha256').update('y').digest('base64')}:` },
  });
  assert.equal([forged.status, detail(forged)], [401, 'The body does not have the digest.']);
  assert.match(String(forged.headers['accept-signature']), 'content-digest');
  assert.is((await send({ url: `${url}/1`, method: 'POST', body: 'x'.repeat(9000) })).status, 413);
  assert.equal([target.got.length, target.bytes()], [0, 0]);
});

test('one signature sent many times at once passes once, over all workers', async () => {
  const { target, url } = await start();
  const { method, headers } = ecdsa.request({ url: `${url}/1` });
  const answers = await Promise.all(
    Array.from({ length: 40 }, () => call(`${url}/1`, { method, headers: { ...headers } })),
  );
  assert.is(answers.filter(({ status }) => status === 200).length, 1);
  assert.is(target.got.length, 1);
  const later = await call(`${url}/1`, { method, headers: { ...headers } });
  assert.equal([later.status, detail(later)], [401, 'The nonce of the signature was used before.']);
});

test('without a signature: a challenge that says what to sign; neither keys nor nonces are logged', async () => {
  const { url, send, log } = await start();
  const missing = await call(`${url}/1`);
  assert.is(missing.status, 401);
  assert.is(missing.headers['www-authenticate'], 'Signature realm="api"');
  assert.is(missing.headers['accept-signature'], 'sig1=("@method" "@authority" "@path" "@query");created');
  const old = await send({ url: `${url}/1`, created: Math.floor(Date.now() / 1000) - 400 });
  assert.equal([old.status, detail(old)], [401, 'The signature is too old.']);
  assert.not.match(JSON.stringify(log), 's'.repeat(40));
});

test.run();
