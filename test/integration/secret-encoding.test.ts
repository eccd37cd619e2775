/** RFC 9421's own shared secret, in base64, in a running gateway; and values that are not in the encoding. */
import { createSecretKey } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Gateway, StartError } from '../../src/control/gateway.js';
import { KEYS, SHARED_SECRET } from '../policies/kits/rfc9421.js';
import { Signer } from '../support/signer.js';
import { call, closeAll, removeFolders, startGateway, temporaryFolder } from './control-kit.js';

test.after.each(closeAll);
test.after(removeFolders);

const KEY = 'secret = "${env:ENCODED}"\nsecret_encoding = "base64"\n';
const CREDENTIAL = `[consumer.acme]\n[[consumer.acme.credentials]]\nkey_id = "test-shared-secret"\nalgorithm = "hmac-sha256"\n${KEY}`;
const JSON_LINE = JSON.stringify({
  name: 'acme',
  credentials: [
    { key_id: 'test-shared-secret', algorithm: 'hmac-sha256', secret: '${env:ENCODED}', secret_encoding: 'base64' },
  ],
});

/** Where the secret is: in the policy, a consumer of the spec, or one of a file. `at`: where its problem is said to be. */
const PLACES = [
  {
    where: 'a key of the policy',
    keys: `[[policy.signed.keys]]\nid = "test-shared-secret"\n${KEY}`,
    at: 'gateway.toml:5',
  },
  { where: 'a credential', keys: CREDENTIAL, at: 'gateway.toml:11' },
  { where: 'a credential in JSON lines', keys: '', at: 'consumers/a.jsonl:1' },
] as const;

function place(keys: string): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'consumers'));
  if (keys === '') writeFileSync(join(folder, 'consumers', 'a.jsonl'), `${JSON_LINE}\n`);
  const spec = join(folder, 'gateway.toml');
  writeFileSync(
    spec,
    `spec = 1
${keys === '' ? 'consumers = "consumers/*"' : ''}
[listener.main]
address = "127.0.0.1:0"
[policy.signed]
use = "http-signature"
${keys}
[[route]]
match = "/foo"
reply = { body = "ok" }
policies = ["signed"]
`,
  );
  return spec;
}

/** The diagnostics of a start with this secret. */
async function rejection(spec: string, secret: string): Promise<string> {
  try {
    await (await Gateway.start({ spec, env: { ENCODED: secret }, inline: true, adminSocket: false })).close();
  } catch (error) {
    if (error instanceof StartError) return error.diagnostics;
    throw error;
  }
  return 'it started';
}

const signer = new Signer({ keyid: 'test-shared-secret', key: KEYS['test-shared-secret'].key });

for (const { where, keys, at } of PLACES) {
  test(`requests signed with the shared secret of RFC 9421 pass: ${where} in base64`, async () => {
    const { url } = await startGateway({ spec: place(keys), env: { ENCODED: SHARED_SECRET }, inline: true });
    const { headers } = signer.request({ url: `${url}/foo` });
    assert.is((await call(`${url}/foo`, { headers: { ...headers } })).status, 200);
    const text = new Signer({ keyid: 'test-shared-secret', key: createSecretKey(Buffer.from(SHARED_SECRET)) });
    const { headers: wrong } = text.request({ url: `${url}/foo` });
    assert.is((await call(`${url}/foo`, { headers: { ...wrong } })).status, 401);
  });

  for (const [what, value, said] of [
    ['is not base64', 'no-base64-'.repeat(4), /is not base64\./],
    ['is too short', 'c2VjcmV0', /has 6 bytes/],
  ] as const) {
    test(`${where} that ${what} is reported at its place, without the value`, async () => {
      const diagnostics = await rejection(place(keys), value);
      assert.match(diagnostics, said);
      assert.match(diagnostics, at);
      assert.not.match(diagnostics, value);
    });
  }
}

test.run();
