/**
 * No secret is shown: servers that gw asks refuse and quote what they got, keys are made over the admin API, and then the dashboard,
 * the commands, metrics and the log of every level are searched. secrets-in-outputs.test.ts has the credentials of the other policies.
 */
import '../dashboard/production.js';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Text } from 'ink';
import { render } from 'ink-testing-library';
import { createElement } from 'react';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { App } from '../../src/dashboard/app.js';
import { press } from '../../src/dashboard/keys.js';
import { initialState, reduce } from '../../src/dashboard/state.js';
import { themeFor } from '../../src/dashboard/theme.js';
import type { AdminEvent, RequestRecord, Snapshot } from '../../src/telemetry/snapshot.js';
import { gw } from '../cli/kit.js';
import {
  call,
  closeAll,
  removeFolders,
  SpecFile,
  startGateway,
  startOrigin,
  until,
} from '../integration/control-kit.js';
import { VaultServer } from '../support/vault.js';

const vault = new VaultServer();
const open: (() => void)[] = [];
test.after.each(async () => {
  for (const close of open.splice(0)) close();
  await closeAll();
});
test.after(() => {
  vault.close();
  removeFolders();
});

const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const SECRETS = {
  apiKey: 'gw_apikey5ecretOfAcme0123456789abcdef',
  wrongKey: 'gw_wrongkey5ecret0123456789abcdefghij',
  opaque: 'opaque-token-5ecret-0123456789',
  introspection: 'introspection-5ecret-0123456789',
  decisions: 'decision-point-5ecret-0123456789',
  csrf: 'csrf-5ecret-0123456789-0123456789-0123',
  admin: 'admin-token-5ecret-0123456789',
  wrongAdmin: 'wrong-admin-token-5ecret-0123456789',
  vaultSecretId: 'vault-secret-id-5ecret-0123456789',
  vaultValue: 'vault-value-5ecret-0123456789',
  pem: pem.split('\n')[1]!,
} as const;

const env = {
  ...process.env,
  INTROSPECTION: SECRETS.introspection,
  PDP: `Bearer ${SECRETS.decisions}`,
  CSRF: SECRETS.csrf,
  ADMIN: SECRETS.admin,
  SECRET_ID: SECRETS.vaultSecretId,
  PEM: pem,
};

const specOf = (target: string, vaultAddress: string, asked: string): string => `spec = 1
consumers = "consumers/*.toml"
[listener.main]
address = "127.0.0.1:0"
[admin]
address = "127.0.0.1:0"
token = "\${env:ADMIN}"
[vault]
address = "${vaultAddress}"
approle = { role_id = "gateway", secret_id = "\${env:SECRET_ID}" }
[service.it]
targets = ["${target}"]
[policy.keys]
use = "api-key"
header = "x-api-key"
query = "api_key"
[policy.opaque]
use = "introspect"
url = "${asked}/introspect"
client_id = "gw"
client_secret = "\${env:INTROSPECTION}"
[policy.decider]
use = "forward-auth"
url = "${asked}/check"
[policy.decisions]
use = "authzen"
url = "${asked}"
headers = { authorization = "\${env:PDP}" }
[policy.pages]
use = "csrf"
token = { secrets = ["\${env:CSRF}"], cookie = "csrf" }
[policy.up-vault]
use = "upstream-auth"
fields = { x-backend = "\${vault:secret/shop#token}" }
[policy.up-jwt]
use = "upstream-auth"
jwt = { key = "\${env:PEM}", algorithm = "EdDSA", audience = "it" }
${Object.entries({
  '/keys': ['keys', 'up-vault'],
  '/opaque': ['opaque', 'up-jwt'],
  '/decider': ['decider'],
  '/decisions': ['keys', 'decisions'],
  '/pages': ['pages'],
  '/signed': ['keys', 'up-jwt'],
})
  .map(([path, policies]) => `[[route]]\nmatch = "${path}"\nto = "it"\npolicies = ${JSON.stringify(policies)}\n`)
  .join('')}`;

/** A server that refuses everything, and quotes all that it got: in the body, in a field, and as an error of OAuth. */
async function startQuoting() {
  const server = createServer((incoming, reply) => {
    const parts: Buffer[] = [];
    incoming.on('data', (part: Buffer) => parts.push(part));
    incoming.on('end', () => {
      const got = `${JSON.stringify(incoming.headers)} ${Buffer.concat(parts).toString()}`;
      const pair = Buffer.from(incoming.headers.authorization?.slice(6) ?? '', 'base64').toString('latin1');
      reply.writeHead(400, { 'content-type': 'application/json', 'x-quote': encodeURI(got) });
      reply.end(JSON.stringify({ error: 'invalid_client', error_description: `${pair} ${got}` }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What every view of the dashboard shows, in lists and in details of each row. */
function screens(snapshot: Snapshot, requests: readonly RequestRecord[]): string {
  const size = { columns: 200, rows: 50 };
  const now = snapshot.gateway.now;
  let state = initialState({ theme: themeFor({ LANG: 'C.UTF-8' }), size, now, home: '/srv' });
  state = reduce(state, { type: 'connection', connection: { status: 'live', where: 'x' }, now });
  const batch = {
    snapshot,
    receivedAt: now,
    recent: [],
    requests: [...requests],
    dropped: 0,
    reloads: snapshot.reloads,
  };
  state = reduce(state, { type: 'batch', batch, now });
  const app = render(createElement(Text, {}, ' '));
  Object.defineProperty(app.stdout, 'columns', { value: size.columns });
  const frames: string[] = [];
  const put = (key: string): void => {
    const { change } = press(state, key);
    if (change) state = reduce(state, { type: 'change', change });
  };
  const look = (): void => {
    app.rerender(createElement(App, { state }));
    frames.push(app.lastFrame() ?? '');
  };
  for (const view of ['1', '2', '3', '4', '5', '6']) {
    put(view);
    look();
    // The details of each row.
    for (let row = 0; row < requests.length; row++) {
      put('return');
      look();
      put('escape');
      put('down');
    }
  }
  app.unmount();
  return frames.join('\n');
}

test('no secret is in the dashboard, the output of commands, metrics, logs of any level, or answers', async () => {
  const vaultAddress = await vault.open();
  vault.roles.add(`gateway ${SECRETS.vaultSecretId}`);
  vault.write('secret/shop', { token: SECRETS.vaultValue });
  const origin = await startOrigin();
  const asked = await startQuoting();
  const spec = new SpecFile(specOf(origin.url, vaultAddress, asked));
  mkdirSync(join(spec.folder, 'consumers'));
  const sha256 = createHash('sha256').update(SECRETS.apiKey).digest('hex');
  writeFileSync(join(spec.folder, 'consumers', 'acme.toml'), `[consumer.acme]\napi_keys = ["sha256:${sha256}"]\n`);
  const { url, gateway, log } = await startGateway({ spec: spec.path, env });
  const socketPath = gateway.adminSocket!;
  let events = '';
  const stream = request({ socketPath, path: '/events?requests=1&decisions=1', agent: false }, (response) =>
    response.setEncoding('utf8').on('data', (chunk: string) => (events += chunk)),
  );
  stream.end();
  open.push(() => stream.destroy());
  await until(() => events.length > 0);

  const outputs = new Map<string, string>();
  const answers: unknown[] = [];
  const statuses: number[] = [];
  const ask = async (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<void> => {
    const answer = await call(url + path, { headers, method });
    statuses.push(answer.status);
    // A service that decides answers the client itself; a token against request forgery is for the page.
    if (path !== '/decider' && path !== '/pages') answers.push(answer.headers, answer.status >= 400 ? answer.body : '');
  };
  const key = { 'x-api-key': SECRETS.apiKey };
  const token = { authorization: `Bearer ${SECRETS.opaque}` };
  await ask('/keys', key);
  await ask(`/keys?api_key=${SECRETS.wrongKey}`);
  await ask('/opaque', token);
  await ask('/decider', token);
  await ask('/decisions', key);
  await ask('/signed', key);
  const page = await call(`${url}/pages`);
  const issued = /csrf=([^;]+)/.exec(String(page.headers['set-cookie']))?.[1] ?? '';
  assert.ok(issued.length > 20);
  await ask('/pages', { cookie: `csrf=${issued}`, 'x-csrf-token': `${issued}x` }, 'POST');
  assert.equal(statuses, [200, 401, 503, 400, 503, 200, 403]);

  // Keys that the admin API makes, and calls to it with a wrong token.
  const made: string[] = [];
  const admin = async (path: string, body: string): Promise<void> => {
    const headers = { 'content-type': 'application/json' };
    const answer = await call(path, { socketPath, method: 'POST', headers, body });
    assert.ok(answer.status < 300, `${path}: ${answer.status} ${answer.body}`);
    made.push((JSON.parse(answer.body) as { key: string }).key);
  };
  await admin('/consumers/acme/keys', '{"name":"ci"}');
  await admin('/consumers/acme/keys/ci/rotate', '{}');
  for (const one of made) await ask('/keys', { 'x-api-key': one });
  const tcp = `http://${gateway.adminAddress}`;
  for (const given of [SECRETS.wrongAdmin, SECRETS.admin]) {
    const answer = await call(`${tcp}/snapshot`, { headers: { authorization: `Bearer ${given}` } });
    assert.is(answer.status, given === SECRETS.admin ? 200 : 401);
    answers.push(answer.headers, answer.body);
  }
  vault.outage = (reply) => reply.writeHead(403).end(JSON.stringify({ errors: [SECRETS.vaultSecretId] }));
  const rejected = await startGateway({ spec: spec.path, env }).catch((error: unknown) => error);
  const { diagnostics } = rejected as { readonly diagnostics?: string };
  assert.match(diagnostics ?? '', /vault/i);
  outputs.set('diagnostics', diagnostics!);

  await until(() => events.includes('"/signed"') && events.includes('"status":403'), 'the records of all requests');
  const records = events
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as AdminEvent)
    .flatMap((event) => (event.type === 'requests' ? event.requests : []));
  assert.ok(records.length >= 8, `${records.length} records`);
  outputs.set('dashboard', screens(gateway.snapshot(), records));
  outputs.set('events', events);
  outputs.set('log', JSON.stringify(log.lines));
  outputs.set('answers', JSON.stringify(answers));
  for (const path of ['/snapshot', '/metrics', '/consumers', '/consumers/acme'])
    outputs.set(path, (await call(path, { socketPath })).body);
  const bundle = join(spec.folder, 'bundle.gwb');
  for (const command of [
    ['compile', spec.path, '-o', bundle, '--include-consumers'],
    ['inspect', bundle],
    ['routes', spec.path, '--json'],
    ['validate', spec.path, '--format', 'json'],
    ['validate', spec.path, '--format', 'sarif'],
    ['keys', 'list', '--spec', spec.path],
    ['dash', '--once', '--address', socketPath],
    ['dash', '--once', '--json', '--address', socketPath],
  ]) {
    const { out, err, code } = await gw(command, { cwd: spec.folder, env });
    assert.is(code, 0, `${command.join(' ')}: ${err}`);
    outputs.set(command.slice(0, 3).join(' '), out + err);
  }

  const found: string[] = [];
  const hidden = { ...SECRETS, issued, ...Object.fromEntries(made.map((one, at) => [`made ${at}`, one])) };
  for (const [kind, secret] of Object.entries(hidden))
    for (const [place, text] of outputs)
      for (const form of [
        secret,
        Buffer.from(secret).toString('base64').replace(/=+$/, ''),
        encodeURIComponent(secret),
      ])
        if (text.includes(form))
          found.push(`${kind} in ${place}: ${text.slice(text.indexOf(form) - 100, text.indexOf(form) + 10)}`);
  assert.equal([...new Set(found)], []);
  assert.match(outputs.get('dashboard')!, /auth\/invalid[\s\S]*acme/);
});

test.run();
