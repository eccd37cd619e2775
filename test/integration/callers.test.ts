/** basic and webhook over sockets, in a worker: live files of users, bodies as they were sent, and no credential in any output. */
import { createHash, createHmac } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { genSaltSync, hashSync } from 'bcryptjs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { gw } from '../cli/kit.js';
import {
  type Answer,
  call,
  closeAll,
  removeFolders,
  SpecFile,
  serveHttp,
  startGateway,
  startOrigin,
  until,
} from './control-kit.js';

test.after.each(closeAll);
test.after(removeFolders);

const bcrypt = (password: string): string => hashSync(password, genSaltSync(4));
const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const SECRET = 'a secret of the sender';
const signature = (body: string | Buffer): string =>
  `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`;

const specOf = (target: string): string => `spec = 1
[listener.main]
address = "127.0.0.1:0"
[service.orders]
targets = ["${target}"]
[consumer.acme]
api_keys = ["sha256:${sha256('key-of-acme-1234567890')}"]
[[consumer.acme.credentials]]
username = "ann"
password = ${JSON.stringify(bcrypt('password of ann'))}
[policy.people]
use = "basic"
users = "users"
realm = "shop"
[policy.keys]
use = "api-key"
[policy.callers]
use = "any-of"
policies = ["people", "keys", "hooks"]
[policy.hooks]
use = "webhook"
format = "github"
secrets = ["\${env:HOOK_SECRET}"]
max_body = "64KiB"
[policy.caller]
use = "headers"
reply.set = { x-sub = "{claims.sub}", x-consumer = "{consumer.name}" }
[[route]]
name = "people"
match = "GET /people"
to = "orders"
policies = ["people", "caller"]
[[route]]
name = "any"
match = "/any"
to = "orders"
policies = ["callers"]
[[route]]
name = "hooks"
match = "POST /hooks"
to = "orders"
policies = ["hooks", "caller"]
`;

const env = { HOOK_SECRET: SECRET };

function specFile(target: string): SpecFile {
  const spec = new SpecFile(specOf(target));
  writeFileSync(join(spec.folder, 'users'), `ada:${bcrypt('open sesame')}\n`);
  return spec;
}

const login = (url: string, user: string, password: string, path = '/people'): Promise<Answer> =>
  call(`${url}${path}`, { headers: { authorization: basic(user, password) } });

test('users of a file and consumers log in; a changed file counts at the next request', async () => {
  const origin = await startOrigin();
  const spec = specFile(origin.url);
  const { url } = await startGateway({ spec: spec.path, watch: true, env });
  const ada = await login(url, 'ada', 'open sesame');
  assert.equal([ada.status, ada.headers['x-sub'], ada.headers['x-consumer']], [200, 'ada', undefined]);
  const ann = await login(url, 'ann', 'password of ann');
  assert.equal([ann.status, ann.headers['x-sub'], ann.headers['x-consumer']], [200, 'ann', 'acme']);
  const wrong = await login(url, 'ada', 'x');
  assert.equal([wrong.status, wrong.headers['www-authenticate']], [401, 'Basic realm="shop", charset="UTF-8"']);
  assert.is(wrong.body.includes('ada'), false);
  writeFileSync(join(spec.folder, 'users'), `ada:${bcrypt('another one')}\n`);
  await until(async () => (await login(url, 'ada', 'open sesame')).status === 401);
  assert.is((await login(url, 'ada', 'another one')).status, 200);
  // A file with a weak hash is rejected as a whole; the users before it stay.
  writeFileSync(join(spec.folder, 'users'), 'ada:$apr1$5L9k2jXz$Xb7yxD3p2qOq4vFZl1Yx0/\n');
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.is((await login(url, 'ada', 'another one')).status, 200);
});

test('any-of: the first credential decides, and a 401 has all challenges', async () => {
  const { url } = await startGateway({ spec: specFile((await startOrigin()).url).path, env });
  assert.is((await login(url, 'ada', 'open sesame', '/any')).status, 200);
  assert.is((await call(`${url}/any`, { headers: { 'x-api-key': 'key-of-acme-1234567890' } })).status, 200);
  const signed = { method: 'POST', body: 'x', headers: { 'x-hub-signature-256': signature('x') } };
  assert.is((await call(`${url}/any`, signed)).status, 200);
  const both = { authorization: basic('ada', 'wrong'), 'x-api-key': 'key-of-acme-1234567890' };
  assert.is((await call(`${url}/any`, { headers: both })).status, 401);
  const none = await call(`${url}/any`);
  assert.is(
    none.headers['www-authenticate'],
    'Basic realm="shop", charset="UTF-8", ApiKey realm="api", Webhook realm="hooks"',
  );
});

/** A target that keeps what it got, and answers with `status`. */
async function startTarget() {
  const got: { readonly body: Buffer; readonly headers: IncomingMessage['headers'] }[] = [];
  const answer = { status: 200 };
  const { url } = await serveHttp((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      got.push({ body: Buffer.concat(parts), headers: request.headers });
      response.writeHead(answer.status).end();
    });
  });
  return { got, answer, url };
}

test('the target gets a signed body as it was sent; others do not reach it', async () => {
  const target = await startTarget();
  const { url } = await startGateway({ spec: specFile(target.url).path, env });
  const send = (body: string | Buffer, headers: Record<string, string>): Promise<Response> =>
    fetch(`${url}/hooks`, { method: 'POST', body, headers });
  const body = JSON.stringify({ text: 'ü'.repeat(10_000) });
  const passed = await send(body, { 'x-hub-signature-256': signature(body) });
  assert.equal([passed.status, passed.headers.get('x-sub')], [200, 'hooks']);
  const zipped = gzipSync(body);
  const coded = { 'content-encoding': 'gzip', 'x-hub-signature-256': signature(zipped) };
  assert.is((await send(zipped, coded)).status, 200);
  assert.ok(target.got[0]!.body.equals(Buffer.from(body)) && target.got[1]!.body.equals(zipped));
  assert.is((await send(body, { 'x-hub-signature-256': signature(body) })).status, 401, 'a copy');
  assert.is((await send(`${body} `, { 'x-hub-signature-256': signature(body) })).status, 401);
  assert.is((await send(body, {})).status, 401);
  const large = 'x'.repeat(65 * 1024);
  assert.is((await send(large, { 'x-hub-signature-256': signature(large) })).status, 413);
  assert.is(target.got.length, 2);
  // The sender repeats what failed.
  target.answer.status = 503;
  assert.is((await send('again', { 'x-hub-signature-256': signature('again') })).status, 503);
  target.answer.status = 202;
  assert.is((await send('again', { 'x-hub-signature-256': signature('again') })).status, 202);
  assert.is((await send('again', { 'x-hub-signature-256': signature('again') })).status, 401);
});

test('no credential is in the access log, records, decisions, answers, metrics or the bundle', async () => {
  const origin = await startOrigin();
  const spec = specFile(origin.url);
  const access = join(spec.folder, 'access.log');
  const { url, gateway, log } = await startGateway({
    spec: spec.path,
    env,
    accessLog: { path: access, format: 'json' },
  });
  const field = signature('x');
  const answers = [
    await login(url, 'ada', 'open sesame'),
    await login(url, 'ada', 'hunter2'),
    await login(url, 'hunter2', 'hunter2'),
    await login(url, 'ann', 'password of ann', '/any'),
    await call(`${url}/any`, { headers: { 'x-api-key': 'key-of-acme-1234567890' } }),
    await call(`${url}/any`, { headers: { 'x-api-key': 'hunter2' } }),
    await call(`${url}/hooks`, { method: 'POST', body: 'x', headers: { 'x-hub-signature-256': field } }),
    await call(`${url}/hooks`, { method: 'POST', body: 'y', headers: { 'x-hub-signature-256': field } }),
  ];
  assert.equal(
    answers.map(({ status }) => status),
    [200, 401, 401, 200, 200, 401, 200, 401],
  );
  const explained: string[] = [];
  for (const header of [
    `authorization: ${basic('ada', 'hunter2')}`,
    `authorization: ${basic('ada', 'open sesame')}`,
    'x-api-key: key-of-acme-1234567890',
    `x-hub-signature-256: ${field}`,
  ]) {
    const { out, err } = await gw(['explain', 'GET', '/any', spec.path, '-H', header, '--json'], {
      cwd: spec.folder,
      env,
    });
    assert.match(out, 'callers');
    explained.push(out, err);
  }
  const compiled = join(spec.folder, 'bundle.gwb');
  await gw(['compile', spec.path, '-o', compiled], { cwd: spec.folder });
  await until(() => readFileSync(access, 'utf8').trim().split('\n').length === answers.length);
  const output = [
    readFileSync(access, 'utf8'),
    JSON.stringify([answers, log.lines, gateway.snapshot()]),
    (await call('/metrics', { socketPath: gateway.adminSocket! })).body,
    readFileSync(compiled, 'latin1'),
    // The arguments of a command are those of its user; its findings must not repeat them.
    ...explained.map((text) => text.replace(/"headers":\s*[[{][^\]}]*[\]}]/g, '')),
  ].join('\n');
  for (const secret of ['hunter2', 'open sesame', 'password of ann', 'key-of-acme-1234567890', SECRET, field.slice(7)])
    for (const form of [secret, Buffer.from(secret).toString('base64').replace(/=+$/, '')])
      assert.not.ok(output.includes(form), form);
  assert.not.ok(output.includes(basic('ada', 'hunter2').slice(6)));
});

test.run();
