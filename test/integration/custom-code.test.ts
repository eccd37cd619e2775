/** Custom policies and actions in a running gateway. */
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeBundle } from '../../src/bundle/encode.js';
import { compile } from '../../src/compiler/index.js';
import { check, LOWER, policyWith, project, removeProjects, specWith, TENANT, write } from '../custom/project.js';
import { call, closeAll, removeFolders, startGateway, until } from './control-kit.js';

test.after.each(closeAll);
test.after(removeFolders);
test.after(removeProjects);

const tenants = (): string =>
  project({
    'gateway.toml': specWith('./policies/tenant.ts', 'allowed = ["acme"]'),
    'policies/tenant.ts': TENANT,
    'policies/lower.ts': LOWER,
  });

test('a custom policy decides, and saving a file that it imports reloads', async () => {
  const folder = tenants();
  const { url, gateway } = await startGateway({ spec: join(folder, 'gateway.toml'), watch: true });
  const status = async (tenant: string): Promise<number> =>
    (await call(`${url}/hello`, { headers: { 'x-tenant': tenant } })).status;
  assert.equal([await status('ACME'), await status('other')], [200, 403]);
  write(folder, 'policies/lower.ts', 'export const lower = (text: string): string => text;\n');
  await until(async () => (await status('ACME')) === 403, 'the reload');
  write(folder, 'policies/lower.ts', 'export const lower = (text: string): string => {\n');
  await until(() => gateway.snapshot().reloads[0]?.outcome === 'rejected', 'the rejection');
  assert.match(gateway.snapshot().reloads[0]?.diagnostics ?? '', 'custom/build');
  write(folder, 'policies/lower.ts', LOWER);
  await until(async () => (await status('ACME')) === 200, 'the repair');
});

test('a throw of a hook refuses the request, and the log names the place in the source', async () => {
  const policy = policyWith(`create: () => ({
    before(exchange) { if (exchange.header('x-throw') === 'now') throw new Error('bad luck'); return undefined; },
    async after(exchange) { if (exchange.header('x-throw') === 'later') throw new Error('worse luck'); return undefined; } })`);
  const folder = project({ 'gateway.toml': specWith('./own.ts'), 'own.ts': policy });
  const { url, log } = await startGateway({ spec: join(folder, 'gateway.toml') });
  assert.is((await call(`${url}/hello`)).status, 200);
  for (const [when, text] of [
    ['now', 'bad luck (own.ts:6:'],
    ['later', 'worse luck (own.ts:7:'],
  ]) {
    assert.is((await call(`${url}/hello`, { headers: { 'x-throw': when! } })).status, 500);
    await until(() => JSON.stringify(log.lines).includes(text!), text);
  }
});

for (const [what, parts, message] of [
  [
    'that throws',
    `create() { throw new Error('not here') }`,
    /own \(\.\/own\.ts\) cannot be created: not here \(own\.ts:5:/,
  ],
  [
    'with a hook for bodies that it does not declare',
    'create: () => ({ onRequestBody() {} })',
    /onRequestBody is never called/,
  ],
] as const) {
  test(`code ${what} rejects the load`, async () => {
    const folder = project({ 'gateway.toml': specWith('./own.ts'), 'own.ts': policyWith(parts) });
    try {
      await startGateway({ spec: join(folder, 'gateway.toml') });
      assert.unreachable();
    } catch (error) {
      assert.match(String(error), message);
    }
  });
}

test('a bundle with code from elsewhere runs only if its signature is verified', async () => {
  const folder = tenants();
  const { bundle } = compile(check(folder).value!);
  const keys = generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const path = join(project({}), 'a.bundle');
  writeFileSync(path, encodeBundle(bundle, keys.privateKey));
  try {
    await startGateway({ bundle: path });
    assert.unreachable();
  } catch (error) {
    assert.match(String((error as { diagnostics?: string }).diagnostics), 'bundle/unsigned-code');
  }
  const { url } = await startGateway({ bundle: path, publicKey: keys.publicKey });
  assert.is((await call(`${url}/hello`)).status, 403);
  assert.is((await call(`${url}/hello`, { headers: { 'x-tenant': 'acme' } })).status, 200);
});

test('a custom action answers a route', async () => {
  const folder = project({
    'gateway.toml': `spec = 1\n[listener.main]\naddress = "127.0.0.1:0"\n[[route]]\nmatch = "GET /tea"\naction = { use = "./tea.js", text = "short" }\n`,
    'tea.js': `const { BytesReply, defineAction, s } = require('gw/policy');
module.exports = defineAction({ summary: 'Is a teapot', schema: s.object({ text: s.string() }),
  create: ({ text }) => ({ start: () => new BytesReply(418, { body: Buffer.from(text) }) }) });`,
  });
  const { url } = await startGateway({ spec: join(folder, 'gateway.toml') });
  const { status, body } = await call(`${url}/tea`);
  assert.equal([status, body], [418, 'short']);
});

for (const inline of [false, true]) {
  const where = inline ? 'the thread of its gateway' : 'its worker';
  test(`a synchronous step that blocks ${where} is logged with the name of its policy`, async () => {
    const policy = policyWith(
      `create: () => ({ before() { const end = Date.now() + 250; while (Date.now() < end); return undefined; } })`,
    );
    const folder = project({ 'gateway.toml': specWith('./own.ts'), 'own.ts': policy });
    const { url, log } = await startGateway({ spec: join(folder, 'gateway.toml'), inline });
    const found = () => log.lines.filter(({ message }) => message === 'custom step blocks its worker');
    for (let tries = 0; tries < 20 && found().length === 0; tries++) await call(`${url}/hello`);
    assert.is(found().length, 1);
    assert.is(found()[0]?.fields?.['policy'], 'own');
    await call(`${url}/hello`);
    assert.is(found().length, 1);
  });
}

test('a custom duty runs in a thread of its own: it publishes, answers, and ends when it blocks', async () => {
  const policy = policyWith(`schema: s.object({ word: s.string() }),
    duty: { create: (settings, host) => ({
      async run() { host.publish({ word: settings.word, runs: (host.last?.runs ?? 0) + 1 }); return 60_000; },
      async ask(question) { if (question === 'block') for (;;); return { echo: question }; } }) },
    create: (settings, host) => { let value; return {
      published(next) { value = next; },
      async before(exchange) {
        const answer = await host.ask(exchange.header('x-ask') ?? 'hi');
        return problem(exchange, { status: 418, code: 'a/b', title: JSON.stringify([value, answer]) });
      } }; }`)
    .replaceAll('(settings', '(settings: any')
    .replaceAll('let value', 'let value: any')
    .replaceAll('host.last?.runs', '(host.last as any)?.runs');
  const folder = project({ 'gateway.toml': specWith('./own.ts', 'word = "one"'), 'own.ts': policy });
  const { url, gateway } = await startGateway({ spec: join(folder, 'gateway.toml') });
  const title = async (): Promise<string> => (JSON.parse((await call(`${url}/hello`)).body) as { title: string }).title;
  assert.is(await title(), '[{"word":"one","runs":1},{"echo":"hi"}]');
  assert.is(gateway.snapshot().duties[0]?.policy, 'own');
  // An endless loop blocks only its own thread: the question fails, the gateway goes on.
  const blocked = call(`${url}/hello`, { headers: { 'x-ask': 'block' } });
  write(folder, 'gateway.toml', specWith('./own.ts', 'word = "two"'));
  await gateway.reload();
  assert.is(await title(), '[{"word":"two","runs":1},{"echo":"hi"}]');
  assert.is((await blocked).status, 500);
});

test('an error of custom code outside of its hooks ends no worker and names its policy', async () => {
  const policy = policyWith(`create: (_, host) => ({
    before(exchange) {
      const where = exchange.header('x-where');
      if (where === 'node') setTimeout(() => { throw new Error('in a timer of Node'); }, 1);
      if (where === 'tick') process.nextTick(() => { throw new Error('in a tick'); });
      if (where === 'host') host.after(1, () => { throw new Error('in a timer of the host'); });
      if (where === 'async') host.after(1, async () => { throw new Error('in an async timer'); });
      if (where === 'floating') void Promise.reject(new Error('in a promise'));
      return undefined;
    },
    async finished(exchange) { if (exchange.header('x-where') === 'end') throw new Error('at the end'); } })`).replace(
    '(_, host)',
    '(_: any, host)',
  );
  const folder = project({ 'gateway.toml': specWith('./own.ts'), 'own.ts': policy });
  const { url, log } = await startGateway({ spec: join(folder, 'gateway.toml') });
  for (const [where, text] of [
    ['node', 'in a timer of Node (own.ts:8:'],
    ['tick', 'in a tick (own.ts:9:'],
    ['host', 'in a timer of the host (own.ts:10:'],
    ['async', 'in an async timer (own.ts:11:'],
    ['floating', 'in a promise (own.ts:12:'],
    ['end', 'at the end (own.ts:15:'],
  ]) {
    assert.is((await call(`${url}/hello`, { headers: { 'x-where': where! } })).status, 200, where);
    const found = () => log.lines.find(({ fields }) => String(fields?.['cause']).startsWith(text!));
    await until(() => found() !== undefined, text);
    assert.is(found()?.fields?.['policy'] ?? found()?.fields?.['policies'], 'own');
  }
  assert.is((await call(`${url}/hello`)).status, 200);
  assert.not(log.lines.some(({ message }) => message.includes('died')));
});

test('a promise in place of hooks rejects the load', async () => {
  const policy = policyWith('create: (async () => ({ before() { return undefined; } })) as any');
  const folder = project({ 'gateway.toml': specWith('./own.ts'), 'own.ts': policy });
  try {
    await startGateway({ spec: join(folder, 'gateway.toml') });
    assert.unreachable();
  } catch (error) {
    assert.match(String(error), /own \(\.\/own\.ts\) cannot be created: create\(\) returns a promise/);
  }
});

test('a stage whose async end() fails cuts the reply', async () => {
  const policy = policyWith(`create: () => ({ replyStage: (exchange, reply, out) => ({
    write: (bytes) => out.write(bytes), async end() { throw new Error('too late'); }, abort() {} }) })`);
  const folder = project({ 'gateway.toml': specWith('./own.ts'), 'own.ts': policy });
  const { url, log } = await startGateway({ spec: join(folder, 'gateway.toml') });
  const cut = await call(`${url}/hello`).then(
    ({ status }) => status,
    () => 'cut',
  );
  assert.ok(cut === 'cut' || cut === 500, String(cut));
  await until(() => JSON.stringify(log.lines).includes('too late (own.ts:6:'), 'the log line');
});

test('the timers of an action end with it', async () => {
  const spec = (text: string): string =>
    `spec = 1\n[listener.main]\naddress = "127.0.0.1:0"\n[[route]]\nmatch = "GET /tea"\naction = { use = "./tea.js", text = "${text}" }\n`;
  const folder = project({
    'gateway.toml': spec('one'),
    'tea.js': `const { BytesReply, defineAction, s } = require('gw/policy');
const tick = (host, text) => host.after(5, () => { host.logger.info('tick ' + text); tick(host, text); });
module.exports = defineAction({ summary: 'Ticks', schema: s.object({ text: s.string() }),
  create: ({ text }, host) => { tick(host, text); return { start: () => new BytesReply(200, { body: text }) }; } });`,
  });
  const { url, log, gateway } = await startGateway({ spec: join(folder, 'gateway.toml') });
  const ticks = (text: string): number => log.lines.filter(({ message }) => message === `tick ${text}`).length;
  await until(() => ticks('one') > 0, 'a tick of the first action');
  write(folder, 'gateway.toml', spec('two'));
  await gateway.reload();
  assert.is((await call(`${url}/tea`)).body, 'two');
  await until(() => ticks('two') > 0, 'a tick of the second action');
  const before = ticks('one');
  const later = ticks('two') + 5;
  await until(() => ticks('two') >= later, 'more ticks of the second action');
  assert.is(ticks('one'), before);
});

test.run();
