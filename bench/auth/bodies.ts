/** Policies that look at requests with a body. */
import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { newToken } from '../../src/policies/csrf/token.js';
import type { Setting } from '../proxy/setting.js';
import * as credentials from './credentials.js';
import { type Entry, NOTHING } from './policies.js';
import { enoughFor, scriptOf, scriptOfOne } from './scripts.js';
import { scenario } from './table.js';

const BODY = 'x'.repeat(1024);
const POST = { method: 'POST', path: '/upload', body: BODY };
const PATH = '/items/1';

const nothing = (setting: Setting): Entry => ({ ...NOTHING, script: scriptOfOne(setting, 'post', POST) });

const webhookKey = randomBytes(32);

/** Values of the fields of Standard Webhooks. */
function message(body: string): readonly string[] {
  const id = `msg_${randomUUID()}`;
  const time = String(Math.floor(Date.now() / 1000));
  const signature = createHmac('sha256', webhookKey).update(`${id}.${time}.${body}`).digest('base64');
  return [id, time, `v1,${signature}`];
}

/** Each message is another one: gw remembers those that it has accepted. */
function webhook(setting: Setting): Entry {
  const fields = ['webhook-id', 'webhook-timestamp', 'webhook-signature'];
  const [id, time, signature] = message('');
  return {
    name: 'webhook, Standard Webhooks',
    toml: '[policy.sender]\nuse = "webhook"\nformat = "standard"\nsecrets = ["${env:BENCH_WEBHOOK}"]\n',
    policies: ['sender'],
    headers: { 'webhook-id': id!, 'webhook-timestamp': time!, 'webhook-signature': signature! },
    script: () => {
      const rows = Array.from({ length: enoughFor(setting) }, () => message(BODY));
      return scriptOf(setting, 'webhooks', { ...POST, fields, rows });
    },
    env: { BENCH_WEBHOOK: webhookKey.toString('base64') },
  };
}

/** The same message in all requests; it is verified each time. */
function repeatedWebhook(setting: Setting): Entry {
  const sign = (body: string): { readonly 'x-hub-signature-256': string } => ({
    'x-hub-signature-256': `sha256=${createHmac('sha256', credentials.secret).update(body).digest('hex')}`,
  });
  return {
    name: 'webhook, GitHub, messages are not remembered',
    toml: '[policy.sender]\nuse = "webhook"\nformat = "github"\nremember = "0s"\nsecrets = ["${env:BENCH_SECRET}"]\n',
    policies: ['sender'],
    headers: sign(''),
    script: scriptOfOne(setting, 'webhook', { ...POST, fixed: sign(BODY) }),
    env: { BENCH_SECRET: credentials.secret },
  };
}

function signed(setting: Setting): Entry {
  const signer = new credentials.RequestSigner();
  return {
    name: 'http-signature, Ed25519, over a digest of the body',
    toml: `[policy.signed]
use = "http-signature"
nonce = "ignored"
max_age = "1h"
keys = [{ id = "bench", public_key = "${setting.write('signature-body.pem', signer.publicKey)}" }]
`,
    policies: ['signed'],
    headers: signer.sign('GET', PATH),
    script: scriptOfOne(setting, 'signed', { ...POST, fixed: signer.sign('POST', POST.path, { body: BODY }) }),
  };
}

function csrf(setting: Setting): Entry {
  const token = newToken(credentials.secret, '');
  const headers = { 'sec-fetch-site': 'same-origin', cookie: `csrf=${token}`, 'x-csrf-token': token };
  return {
    name: 'csrf, with a token',
    toml: '[policy.own]\nuse = "csrf"\ntoken = { secrets = ["${env:BENCH_SECRET}"], cookie = "csrf" }\n',
    policies: ['own'],
    headers,
    script: scriptOfOne(setting, 'csrf', { ...POST, fixed: headers }),
    env: { BENCH_SECRET: credentials.secret },
  };
}

export const bodies = scenario({
  name: 'body',
  title: 'requests with a body of 1 KiB',
  notes: ['webhook, http-signature: the body is collected and verified before the target gets it'],
  method: 'POST',
  path: POST.path,
  entries: (setting) => [nothing(setting), webhook(setting), repeatedWebhook(setting), signed(setting), csrf(setting)],
});
