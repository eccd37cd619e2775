/** Requests that a policy answers itself, in a running gateway and offline. */
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { gw } from '../cli/kit.js';
import { project, removeProjects, write } from '../custom/project.js';
import { call, closeAll, removeFolders, startGateway, until } from './control-kit.js';

test.after.each(closeAll);
test.after(removeFolders);
test.after(removeProjects);

const VISITS = `
import { BytesReply, definePolicy, problem, s } from 'gw/policy';
export default definePolicy({
  summary: 'Refuses everything, and answers /visits',
  phase: 'authorize',
  schema: s.object({ path: s.string().default('/visits') }),
  paths: ({ path }) => [
    { name: 'count', match: 'GET ' + path, at: ['path'] },
    { name: 'echo', match: 'POST ' + path, at: ['path'], maxBody: 16 },
  ],
  create: () => ({
    before: (exchange) => problem(exchange, { status: 403, code: 'visits/refused', title: 'Refused' }),
    async answer(exchange, path, body) {
      if (exchange.header('x-throw') !== undefined) throw new Error('bad luck');
      return new BytesReply(200, { body: Buffer.from(path + ' ' + Buffer.from(body).toString() + exchange.query) });
    },
  }),
});
`;

const SPEC = `spec = 1
[listener.main]
address = "127.0.0.1:0"
[policy.visits]
use = "./visits.ts"
[policy.slow-down]
use = "rate-limit"
limit = "1000/s"
at = "guard"
[policy.page]
use = "headers"
reply.set = { x-page = "yes" }
[[route]]
name = "hello"
match = "GET /hello"
reply = { body = "hello" }
policies = ["slow-down", "visits", "page"]
`;

const started = async () => {
  const folder = project({ 'gateway.toml': SPEC, 'visits.ts': VISITS });
  return { folder, ...(await startGateway({ spec: join(folder, 'gateway.toml'), watch: true })) };
};

test('a policy answers its paths, while its routes are guarded', async () => {
  const { url } = await started();
  assert.is((await call(`${url}/hello`)).status, 403);
  const count = await call(`${url}/visits?a=1`);
  assert.equal([count.status, count.body, count.headers['x-page']], [200, 'count a=1', 'yes']);
  assert.match(String(count.headers['ratelimit-policy']), /slow-down/, 'the guard applies');
  const head = await call(`${url}/visits`, { method: 'HEAD' });
  assert.equal([head.status, head.body], [200, '']);
  assert.is((await call(`${url}/visits`, { method: 'DELETE' })).status, 405);
});

test('the body of a request is bounded', async () => {
  const { url } = await started();
  const post = (body: string, headers: Record<string, string> = {}) =>
    call(`${url}/visits`, { method: 'POST', body, headers });
  assert.is((await post('now')).body, 'echo now');
  assert.is((await post('n'.repeat(17))).status, 413);
  assert.is((await post('n'.repeat(17), { 'transfer-encoding': 'chunked' })).status, 413);
  assert.is((await post('now', { 'content-encoding': 'gzip' })).status, 415);
  assert.is((await call(`${url}/visits`, { method: 'POST' })).body, 'echo ');
  const get = await call(`${url}/visits`, { method: 'GET', body: 'x', headers: { 'content-length': '1' } });
  assert.is(get.status, 413);
});

test('a throw of answer() gives 500, and the log names it', async () => {
  const { url, log } = await started();
  assert.is((await call(`${url}/visits`, { headers: { 'x-throw': 'now' } })).status, 500);
  assert.match(JSON.stringify(log.lines), /bad luck \(visits\.ts:/);
});

test('a reload moves the paths', async () => {
  const { folder, url, gateway } = await started();
  write(folder, 'gateway.toml', SPEC.replace('use = "./visits.ts"', 'use = "./visits.ts"\npath = "/counts"'));
  await until(async () => (await call(`${url}/counts`)).status === 200, 'the reload');
  assert.is((await call(`${url}/visits`)).status, 404);
  const routes = gateway.snapshot().routes.map(({ name, action }) => [name, action]);
  assert.equal(routes.slice(0, 3), [
    ['hello', 'reply 200'],
    ['visits/count', 'answered by policy visits'],
    ['visits/echo', 'answered by policy visits'],
  ]);
});

test('gw routes lists them, and gw explain runs them', async () => {
  const folder = project({ 'gateway.toml': SPEC, 'visits.ts': VISITS });
  const spec = join(folder, 'gateway.toml');
  const routes = await gw(['routes', spec]);
  assert.match(routes.out, /GET \/visits.*answered by policy visits/);
  const explained = await gw(['explain', 'GET', '/visits', spec]);
  assert.match(explained.out, /visits\/count/);
  assert.match(explained.out, /200/);
});

test.run();
