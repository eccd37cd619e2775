/** A DPoP proof that is sent again, to one worker and to several: RFC 9449 section 11.1. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { call, closeAll, removeFolders, SpecFile, startGateway, startOrigin } from '../integration/control-kit.js';
import { DpopClient } from '../support/dpop.js';
import { Issuer } from '../support/issuer.js';

let issuer: Issuer;
test.before(async () => {
  issuer = await Issuer.start();
});
test.after.each(closeAll);
test.after(async () => {
  await issuer.close();
  removeFolders();
});

const ORIGIN = 'https://api.example.com';

const specOf = (target: string, workers: number, dpop: string, policies: string): string => `spec = 1
workers = ${workers}
[listener.main]
address = "127.0.0.1:0"
[service.orders]
targets = ["${target}"]
[policy.tokens]
use = "jwt"
jwks = "${issuer.url}/keys"
issuer = "${issuer.url}"
audience = "orders"
dpop = { origin = "${ORIGIN}"${dpop.includes('mode') ? '' : ', mode = "required"'}${dpop} }
[policy.keys]
use = "api-key"
[policy.either]
use = "any-of"
policies = ["keys", "tokens"]
[policy.readers]
use = "allow"
scopes = ["read"]
[consumer.acme]
api_keys = ["sha256:${'0'.repeat(64)}"]
[[route]]
name = "orders"
match = "GET /orders"
to = "orders"
policies = [${policies}]
`;

async function started(workers: number, dpop = '', policies = '"tokens"') {
  const origin = await startOrigin();
  const text = specOf(origin.url, workers, dpop, policies);
  const file = new SpecFile(text);
  const { url, gateway } = await startGateway({ spec: file.path });
  const client = await DpopClient.create();
  const token = await issuer.token({ cnf: client.cnf });
  const send = (proof: string, path = '/orders') =>
    call(`${url}${path}`, { headers: { authorization: `DPoP ${token}`, dpop: proof } });
  return { client, token, send, url, file, text, gateway };
}

for (const workers of [1, 2])
  test(`with ${workers} workers, a proof that arrives many times at once passes once`, async () => {
    const { client, token, send } = await started(workers);
    for (let round = 0; round < 5; round++) {
      const proof = await client.proof({ url: `${ORIGIN}/orders`, token });
      const all = await Promise.all(Array.from({ length: 20 }, () => send(proof)));
      const statuses = all.map(({ status }) => status);
      assert.is(statuses.filter((status) => status === 200).length, 1, statuses.join());
      assert.is(statuses.filter((status) => status === 401).length, 19, statuses.join());
      const late = await send(proof);
      assert.equal([late.status, /The DPoP proof was used before/.test(late.body)], [401, true]);
    }
  });

test('a proof is remembered by all workers over a reload that edits the policy', async () => {
  const { client, token, send, file, text, gateway } = await started(2);
  const proof = await client.proof({ url: `${ORIGIN}/orders`, token });
  assert.is((await send(proof)).status, 200);
  // Another key set: also what the duty has fetched begins anew.
  file.write(
    text.replace(/^jwks = .*$/m, 'discovery = true').replace('[policy.keys]', 'realm = "other"\n[policy.keys]'),
  );
  assert.is((await gateway.reload())?.outcome, 'live');
  for (let at = 0; at < 6; at++) {
    const again = await send(proof);
    assert.equal([again.status, /The DPoP proof was used before/.test(again.body)], [401, true]);
    assert.match(String(again.headers['www-authenticate']), /realm="other"/);
  }
});

test('a proof for another server does not pass, whatever Host the sender writes', async () => {
  const { client, token, url } = await started(1);
  const proof = await client.proof({ url: 'https://evil.example/orders', token });
  const headers = { authorization: `DPoP ${token}`, dpop: proof, host: 'evil.example' };
  assert.is((await call(`${url}/orders`, { headers })).status, 401);
});

test('a stolen token passes neither as Bearer nor with a proof of another key', async () => {
  const { token, url, send } = await started(1);
  assert.is((await call(`${url}/orders`, { headers: { authorization: `Bearer ${token}` } })).status, 401);
  const thief = await DpopClient.create();
  assert.is((await send(await thief.proof({ url: `${ORIGIN}/orders`, token }))).status, 401);
});

test('nonces: all workers give and accept the same ones', async () => {
  const { client, token, send } = await started(2, ', nonce = true');
  const first = await send(await client.proof({ url: `${ORIGIN}/orders`, token }));
  assert.is(first.status, 401);
  assert.match(String(first.headers['www-authenticate']), /error="use_dpop_nonce"/);
  const nonce = String(first.headers['dpop-nonce']);
  const proofs = await Promise.all(
    Array.from({ length: 20 }, () => client.proof({ url: `${ORIGIN}/orders`, token, nonce })),
  );
  const statuses = (await Promise.all(proofs.map((proof) => send(proof)))).map(({ status }) => status);
  assert.is(statuses.filter((status) => status === 200).length, 20, statuses.join());
});

test('nonces: through any-of, a reply to a proof with the last nonce has the next one', async () => {
  const { client, token, send } = await started(1, ', nonce = "10s"', '"either"');
  const proof = async (nonce?: string) => send(await client.proof({ url: `${ORIGIN}/orders`, token, nonce }));
  const nonce = String((await proof()).headers['dpop-nonce']);
  let next: unknown;
  for (const until = Date.now() + 7000; next === undefined && Date.now() < until; ) {
    const { status, headers } = await proof(nonce);
    assert.is(status, 200);
    next = headers['dpop-nonce'];
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.type(next, 'string');
  assert.is.not(next, nonce);
  assert.equal([(await proof(String(next))).status, (await proof(nonce)).status], [200, 200]);
});

test('the error of a missing scope belongs to the scheme that the client used', async () => {
  const { client, token, send, url } = await started(1, ', mode = "optional"', '"either", "readers"');
  const lacking = await send(await client.proof({ url: `${ORIGIN}/orders`, token }));
  const bearer = await call(`${url}/orders`, { headers: { authorization: `Bearer ${await issuer.token()}` } });
  assert.equal([lacking.status, bearer.status], [403, 403]);
  assert.match(String(lacking.headers['www-authenticate']), /^Bearer [^,]*, DPoP .*error="insufficient_scope"/);
  assert.match(String(bearer.headers['www-authenticate']), /^DPoP .*, Bearer [^,]*, error="insufficient_scope"/);
});

test.run();
