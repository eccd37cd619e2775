/** Consumers of files in a running gateway: added, used, revoked and refused, without a reload of anything else. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { whyNoSharing } from '../../src/control/ports/addresses.js';
import { keyHash } from '../../src/key-format.js';
import { gw } from '../cli/kit.js';
import {
  call,
  closeAll,
  Load,
  type Running,
  removeFolders,
  startGateway,
  temporaryFolder,
  until,
} from './control-kit.js';

test.after.each(closeAll);
test.after(removeFolders);

const HEAD = (more = ''): string => `spec = 1
consumers = "consumers/*"
${more}
[listener.main]
address = "127.0.0.1:0"
[plan.pro]
[policy.keys]
use = "api-key"
[[route]]
name = "hello"
match = "GET /hello"
reply = { body = "hello {consumer.name}", template = true }
policies = ["keys"]
`;

/** A folder with a spec and files of consumers. */
function place(files: Readonly<Record<string, string>>, more = ''): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'consumers'));
  writeFileSync(join(folder, 'gateway.toml'), HEAD(more));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'consumers', name), text);
  return folder;
}

/** Replaces a file as a whole, as `gw keys` does. */
function replace(path: string, text: string): void {
  const temporary = join(dirname(path), '.new');
  writeFileSync(temporary, text);
  renameSync(temporary, path);
}

const start = (folder: string, inline = true): Promise<Running> =>
  startGateway({ spec: join(folder, 'gateway.toml'), watch: true, inline });

const statusOf = async ({ url }: Running, key: string): Promise<number> =>
  (await call(`${url}/hello`, { headers: { 'x-api-key': key } })).status;

const becomes = (running: Running, key: string, status: number): Promise<unknown> =>
  until(async () => (await statusOf(running, key)) === status, `${status}`);

const generation = ({ gateway }: Running): number => gateway.snapshot().generation.id;

async function keys(folder: string, ...words: string[]): Promise<string> {
  const { code, out, err } = await gw(['keys', ...words], { cwd: folder });
  assert.is(code, 0, err);
  return out.trim();
}

for (const [file, text] of [
  ['all.jsonl', '{"name":"bolt"}\n'],
  ['bolt.toml', '[consumer.bolt]\n'],
] as const) {
  test(`gw keys: a key of ${file} is accepted, rotated and refused by a running gateway`, async () => {
    const folder = place({ [file]: text });
    const running = await start(folder);
    const first = await keys(folder, 'new', 'bolt', '--name', 'ci');
    await becomes(running, first, 200);
    const second = await keys(folder, 'rotate', 'bolt', 'ci');
    await becomes(running, second, 200);
    assert.is(await statusOf(running, first), 200);
    await keys(folder, 'revoke', 'bolt', 'ci-old');
    await becomes(running, first, 401);
    assert.is(await statusOf(running, second), 200);
    assert.is(generation(running), 1);
    const { reloads } = running.gateway.snapshot();
    assert.equal(
      reloads.map(({ outcome, generation: id, summary }) => [outcome, id, summary]),
      [
        ['live', 1, '~1 consumer'],
        ['live', 1, '~1 consumer'],
        ['live', 1, '~1 consumer'],
        ['live', 1, '+1 route, ~0 routes, -0 routes; +1 policy; +1 consumer; +1 plan; +1 listener'],
      ],
    );
    const created = await keys(folder, 'new', 'cargo', '--create', '--plan', 'pro');
    await becomes(running, created, 200);
    assert.ok(running.log.lines.some(({ message }) => message === 'consumers reloaded: +1 consumer'));
    assert.not.match(JSON.stringify(running.log.lines), created);
  });
}

test('a bad file leaves the consumers as they are, and is reported once', async () => {
  const key = 'a-key-of-acme';
  const folder = place({ 'all.jsonl': `{"name":"acme","api_keys":["${keyHash(key)}"]}\n` });
  const running = await start(folder);
  assert.is(await statusOf(running, key), 200);
  const path = join(folder, 'consumers/all.jsonl');
  replace(path, '{"name":"other"}\n{"name":\n');
  await until(() => running.gateway.snapshot().reloads[0]?.outcome === 'rejected', 'rejected');
  const [rejected] = running.gateway.snapshot().reloads;
  assert.match(rejected!.summary, 'consumer/file');
  assert.match(rejected!.diagnostics, 'all.jsonl:2');
  assert.is(await statusOf(running, key), 200);
  assert.ok(running.log.lines.some(({ message }) => message === 'reload rejected, generation 1 keeps serving'));
  replace(path, `{"name":"bolt","api_keys":["${keyHash(key)}"]}\n`);
  await until(
    async () => (await call(`${running.url}/hello`, { headers: { 'x-api-key': key } })).body === 'hello bolt',
    'bolt',
  );
});

test('a bad file at the start ends it', async () => {
  const folder = place({ 'all.jsonl': '{"name":"acme","plan":"none"}\n' });
  try {
    await start(folder);
    assert.unreachable();
  } catch (error) {
    assert.match(String((error as { diagnostics?: string }).diagnostics), 'all.jsonl:1:23');
  }
});

test('a consumer moves between the spec and a file', async () => {
  const key = 'a-key-of-acme';
  const declared = `[consumer.acme]\napi_keys = ["${keyHash(key)}"]\n`;
  const folder = place({ 'acme.toml': '' });
  const running = await start(folder);
  writeFileSync(join(folder, 'gateway.toml'), HEAD() + declared);
  await running.gateway.reload();
  assert.is(await statusOf(running, key), 200);
  writeFileSync(join(folder, 'gateway.toml'), HEAD());
  writeFileSync(join(folder, 'consumers/acme.toml'), declared);
  assert.is((await running.gateway.reload())?.outcome, 'live');
  assert.is(await statusOf(running, key), 200);
  writeFileSync(join(folder, 'gateway.toml'), HEAD() + declared);
  assert.is((await running.gateway.reload())?.outcome, 'rejected');
  assert.is(await statusOf(running, key), 200);
});

test('references of consumers in files are resolved, and read again by a reload', async () => {
  const folder = place({ 'acme.toml': '[consumer.acme]\napi_keys = ["${file:acme.hash}"]\n' });
  const path = join(folder, 'acme.hash');
  writeFileSync(path, keyHash('first-key'));
  const running = await start(folder);
  assert.is(await statusOf(running, 'first-key'), 200);
  writeFileSync(path, keyHash('second-key'));
  await running.gateway.reload();
  assert.equal([await statusOf(running, 'first-key'), await statusOf(running, 'second-key')], [401, 200]);
});

test('a bundle reads the files beside it, unless it includes them', async () => {
  const folder = place({ 'all.jsonl': '' });
  const key = await keys(folder, 'new', 'acme', '--create');
  for (const option of [[], ['--include-consumers']]) {
    assert.is((await gw(['compile', '-f', ...option], { cwd: folder })).code, 0);
    const running = await startGateway({ bundle: join(folder, 'gateway.bundle'), watch: true, inline: true });
    assert.is(await statusOf(running, key), 200);
    const next = await keys(folder, 'new', 'acme');
    if (option.length === 0) await becomes(running, next, 200);
    else assert.is(await statusOf(running, next), 401);
    assert.is(generation(running), 1);
    await closeAll();
  }
});

test('under load, a revoked key is refused in all workers and no other request fails', async () => {
  const lines = Array.from({ length: 2000 }, (_, at) => `{"name":"c${at}","api_keys":["${keyHash(`key-${at}`)}"]}\n`);
  const workers = whyNoSharing() === undefined ? 3 : 1;
  const folder = place({ 'all.jsonl': lines.join('') }, `workers = ${workers}`);
  const running = await start(folder, false);
  const load = new Load();
  const judge = ({ status, body }: { status: number; body: string }): string | undefined =>
    status === 200 && body === 'hello c7' ? undefined : `${status} ${body}`;
  load.start(6, `${running.url}/hello`, judge, { headers: { 'x-api-key': 'key-7' } });
  for (let round = 0; round < 6; round++) {
    const name = `ci-${round}`;
    const key = await keys(folder, 'new', `c${round * 100}`, '--name', name);
    await becomes(running, key, 200);
    await keys(folder, 'revoke', `c${round * 100}`, name);
    const done = running.gateway.snapshot().reloads.length;
    await until(() => running.gateway.snapshot().reloads.length >= 2 * round + 3, `${done} reloads`);
    // The change resolves when all workers use it: from then on, each connection is refused.
    for (let connection = 0; connection < 12; connection++) assert.is(await statusOf(running, key), 401);
  }
  await load.stop();
  assert.equal(load.failures, []);
  assert.ok(load.sent > 100);
  assert.is(generation(running), 1);
  assert.match(readFileSync(join(folder, 'consumers/all.jsonl'), 'utf8'), lines[7]!);
});

/** Calls the admin API of a gateway on its socket. */
async function admin({ gateway }: Running, method: string, path: string, body?: object) {
  const answer = await call(path, {
    method,
    socketPath: gateway.adminSocket!,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { ...JSON.parse(answer.body), status: answer.status, type: answer.headers['content-type'] };
}

test('the admin API: keys are created, listed, rotated and revoked, live when the call answers', async () => {
  const folder = place({ 'all.jsonl': '{"name":"acme"}\n{"name":"zed"}\n' });
  const running = await startGateway({ spec: join(folder, 'gateway.toml'), inline: true });
  const made = await admin(running, 'POST', '/consumers/acme/keys', {
    name: 'ci',
    expires: '90d',
    addresses: ['127.0.0.1'],
  });
  assert.equal([made.status, made.live, made.name, made.created], [201, true, 'ci', false]);
  assert.is(await statusOf(running, made.key), 200);
  const rotated = await admin(running, 'POST', '/consumers/acme/keys/ci/rotate', { overlap: '1h', expires: 'never' });
  assert.equal([rotated.status, rotated.old.name, rotated.expires], [201, 'ci-old', null]);
  assert.equal([await statusOf(running, made.key), await statusOf(running, rotated.key)], [200, 200]);
  const one = await admin(running, 'GET', '/consumers/acme');
  assert.equal(
    one.credentials.map(({ name, kind, state }: Record<string, string>) => `${name} ${kind} ${state}`),
    ['ci-old key active', 'ci key active'],
  );
  const revoked = await admin(running, 'DELETE', '/consumers/acme/keys/ci-old');
  assert.equal([revoked.status, revoked.live], [200, true]);
  assert.equal([await statusOf(running, made.key), await statusOf(running, rotated.key)], [401, 200]);
  const created = await admin(running, 'POST', '/consumers/bolt/keys', { create: true, plan: 'pro', groups: ['a'] });
  assert.equal([created.status, created.created], [201, true]);
  assert.is(await statusOf(running, created.key), 200);
  const page = await admin(running, 'GET', '/consumers?limit=2');
  assert.equal(
    [page.total, page.consumers.map(({ name }: { name: string }) => name), page.next],
    [3, ['acme', 'bolt'], 'bolt'],
  );
  const rest = await admin(running, 'GET', '/consumers?limit=2&after=bolt');
  assert.equal([rest.consumers.map(({ name }: { name: string }) => name), rest.next], [['zed'], null]);
  assert.not.match(JSON.stringify([page, rest, one]), 'sha256');
  assert.not.match(JSON.stringify(running.log.lines), /gw_[0-9A-Za-z]{36}/);
  assert.is(generation(running), 1);
});

test('the admin API: a consumer of the spec, and problems', async () => {
  const folder = place({ 'all.jsonl': '{"name":"acme"}\n' });
  writeFileSync(join(folder, 'gateway.toml'), `${HEAD()}[consumer.own]\ngroups = ["a"]\n`);
  const running = await startGateway({ spec: join(folder, 'gateway.toml'), inline: true });
  const made = await admin(running, 'POST', '/consumers/own/keys', {});
  assert.equal([made.status, made.live, made.name], [201, true, 'key-1']);
  assert.is(await statusOf(running, made.key), 200);
  const problems: readonly [string, string, object | undefined, number, string][] = [
    ['POST', '/consumers/nobody/keys', {}, 404, 'admin/unknown-consumer'],
    ['GET', '/consumers/nobody', undefined, 404, 'admin/unknown-consumer'],
    ['DELETE', '/consumers/acme/keys/ci', undefined, 404, 'admin/unknown-key'],
    ['POST', '/consumers/own/keys', { name: 'key-1' }, 409, 'admin/exists'],
    ['POST', '/consumers/acme/keys', { expires: 'soon' }, 422, 'admin/invalid'],
    ['POST', '/consumers/acme/keys', { expires: 7 }, 422, 'admin/invalid'],
    ['POST', '/consumers/acme/keys', { nmae: 'x' }, 422, 'admin/invalid'],
    ['POST', '/consumers/acme/keys', [], 400, 'admin/body'],
    ['POST', '/consumers/acme/keys', { name: 'x'.repeat(70_000) }, 413, 'admin/body'],
    ['PUT', '/consumers', {}, 405, 'admin/method'],
    ['GET', '/consumers?limit=0', undefined, 422, 'admin/invalid'],
    ['GET', '/consumers/acme/x', undefined, 404, 'admin/unknown'],
  ];
  for (const [method, path, body, status, code] of problems) {
    const answer = await admin(running, method, path, body);
    assert.equal(
      [answer.status, answer.code, answer.type],
      [status, code, 'application/problem+json'],
      `${method} ${path}`,
    );
  }
  // Written, but another file has an error.
  writeFileSync(join(folder, 'consumers/bad.jsonl'), '{');
  const late = await admin(running, 'POST', '/consumers/acme/keys', {});
  assert.equal([late.status, late.live], [201, false]);
  assert.match(late.cause, 'consumer/file');
});

test.run();
