/** Strangers fill the cache of policies: used values (host.replays) and sessions (host.marks) have memories of their own, and stay. */
import { createHmac } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Json } from '../../src/policies/contract.js';
import { runHalves } from '../../src/policies/run-registry.js';
import { bed, send } from '../policies/http-signature-kit.js';
import { CLAIMS, jwt, NOW, sign, signer } from '../policies/jwt-kit.js';
import { Browser, LoginPolicy } from '../policies/oidc-kit.js';
import { compile, exchange, host, noBody, type World, world } from '../policies/support.js';
import { DpopClient } from '../support/dpop.js';

/** Tokens of strangers that an authorization server does not know: each answer is kept. */
async function flood(around: World): Promise<void> {
  const origin = 'https://as.example.com';
  const text = `url = "${origin}/introspect"\nclient_id = "gw"\nclient_secret = "\${env:S}"\ncache_invalid = "1h"`;
  const settings = compile('introspect', text) as { readonly client: object };
  const resolved = { ...settings, client: { method: 'client_secret_basic', id: 'gw', secret: 's' } } as Json;
  const headers = { 'content-type': 'application/json' };
  around.mocks = { [origin]: () => ({ status: 200, headers, body: '{"active":false}' }) };
  const policy = runHalves['introspect']!(resolved, host(around, 'introspect', [origin]));
  for (let round = 0; round < 4000; round++) {
    const found = await policy.authenticate!(
      exchange({ headers: [['authorization', `Bearer token-${round}`]] }),
      noBody,
    );
    if (round === 0) assert.is(found.outcome, 'refused');
  }
}

test('a DPoP proof, and a nonce of a signature, are not accepted again', async () => {
  const [key, client] = [await signer(), await DpopClient.create()];
  const { policy, around } = jwt('dpop = { mode = "required", origin = "https://api.example.com" }', {
    keys: [key.jwk],
  });
  const token = await sign(key, { ...CLAIMS, cnf: client.cnf });
  const dpop = await client.proof({ url: 'https://api.example.com/orders/1', token, at: NOW });
  const headers = [['authorization', `DPoP ${token}`] as const, ['dpop', dpop] as const];
  const proved = async (): Promise<string> => (await policy.authenticate!(exchange({ headers }), noBody)).outcome;
  assert.is(await proved(), 'identity');
  await flood(around);
  assert.is(await proved(), 'refused');

  const signed = bed();
  assert.is((await send(signed, { nonce: 'n' })).outcome, 'identity');
  await flood(signed.around);
  assert.is((await send(signed, { nonce: 'n' })).outcome, 'refused');
});

test('a webhook is not accepted again', async () => {
  const around = world();
  const settings = compile('webhook', 'format = "github"\nsecrets = ["${env:S}"]') as { readonly [key: string]: Json };
  const policy = runHalves['webhook']!({ ...settings, secrets: ['a secret of a sender'] }, host(around));
  const mac = createHmac('sha256', 'a secret of a sender').update('{}').digest('hex');
  const on = exchange({ method: 'POST', headers: [['x-hub-signature-256', `sha256=${mac}`]] });
  const sent = async (): Promise<string> =>
    (await policy.authenticate!(on, () => Promise.resolve(Buffer.from('{}')))).outcome;
  assert.is(await sent(), 'identity');
  await flood(around);
  assert.is(await sent(), 'refused');
});

test('people stay signed in', async () => {
  const login = await LoginPolicy.create('session = "stored"');
  const browser = new Browser();
  await login.login(browser);
  assert.ok(await login.identity(browser));
  await flood(login.around);
  assert.ok(await login.identity(browser));
});

test.run();
