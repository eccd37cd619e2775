/** Plans over sockets: what a consumer bought applies on every route with the policy `plan`, and survives a reload. */
import type { ServerResponse } from 'node:http';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { call, closeAll, removeFolders, SpecFile, serveHttp, startGateway, until } from './control-kit.js';

let target: string;
const held: ServerResponse[] = [];

test.before.each(async () => {
  const origin = await serveHttp((incoming, reply) => {
    if (incoming.url === '/hold') held.push(reply);
    else reply.end('done');
  });
  target = origin.url;
});
test.after.each(closeAll);
test.after(removeFolders);

// The keys are `acme-key` and `globex-key`.
const specOf = (gold: string): string => `spec = 1
[listener.main]
address = "127.0.0.1:0"
[service.shop]
targets = ["${target}"]
[policy.keys]
use = "api-key"
[plan.gold]
${gold}
[plan.free]
route_tags = ["basic"]
[consumer.acme]
plan = "gold"
api_keys = ["sha256:afacab3575137afa4e00d9cbcafcb14c9ae25f779d964eb0ea5b2c4eb5dfd163"]
[consumer.globex]
plan = "free"
api_keys = ["sha256:f2a455b59b858a04c51108416af2042203cb6ac35fa4141fba4148bc856e78d4"]
[[group]]
policies = ["keys", "plan"]
[[group.route]]
name = "list"
match = "GET /list"
to = "shop"
tags = ["basic"]
[[group.route]]
name = "hold"
match = "GET /hold"
to = "shop"
`;

const ask = (url: string, path: string, key: string) => call(`${url}${path}`, { headers: { 'x-api-key': key } });

test('a plan limits its consumers on all routes together, and a reload keeps what was used', async () => {
  const spec = new SpecFile(specOf('rate = "3/h"'));
  const { url, gateway } = await startGateway({ spec: spec.path, inline: true });
  assert.is((await ask(url, '/list', 'acme-key')).status, 200);
  const second = await ask(url, '/list', 'acme-key');
  assert.is(second.headers['ratelimit-policy'], '"plan";q=3;w=3600');
  assert.match(second.headers['ratelimit'] as string, /^"plan";r=1;t=/);
  spec.write(specOf('rate = "2/h"'));
  assert.is((await gateway.reload())?.outcome, 'live');
  const refused = await ask(url, '/list', 'acme-key');
  assert.is(refused.status, 429);
  assert.equal(JSON.parse(refused.body)['violated-policies'], ['plan']);
  assert.is((await ask(url, '/list', 'globex-key')).status, 200, 'another consumer');
  const { limit, by, refused: count, routes } = gateway.snapshot().limits[0]!;
  assert.equal(
    { limit, by, count, routes },
    { limit: 'as the plan says', by: 'consumer', count: 1, routes: ['list', 'hold'] },
  );
});

test('a plan includes the routes with its tags only', async () => {
  const spec = new SpecFile(specOf('rate = "3/h"'));
  const { url } = await startGateway({ spec: spec.path, inline: true });
  assert.is((await ask(url, '/list', 'globex-key')).status, 200);
  const refused = await ask(url, '/hold', 'globex-key');
  assert.equal([refused.status, JSON.parse(refused.body).title], [403, 'Not part of the plan']);
});

test('requests in progress are those of the consumer, and its maximum is that of its plan', async () => {
  const spec = new SpecFile(specOf('concurrency = 1'));
  const { url, gateway } = await startGateway({ spec: spec.path, inline: true });
  const first = ask(url, '/hold', 'acme-key');
  await until(() => held.length === 1, 'the first request');
  assert.is((await ask(url, '/list', 'acme-key')).status, 429);
  const [shown] = gateway.snapshot().concurrency;
  assert.equal(shown?.keys, [{ key: 'consumer:acme', taken: 1, capacity: 1 }]);
  held.shift()?.end('released');
  assert.is((await first).status, 200);
  assert.is((await ask(url, '/list', 'acme-key')).status, 200);
});

for (const inline of [true, false]) {
  test(`the snapshot has what each consumer did, and callers that were not identified${inline ? '' : ', from a worker'}`, async () => {
    const spec = new SpecFile(specOf('rate = "1/h"'));
    const { url, gateway } = await startGateway({ spec: spec.path, inline });
    await ask(url, '/list', 'acme-key');
    await ask(url, '/list', 'acme-key');
    await ask(url, '/list', 'wrong');
    // The data plane may report between two requests.
    await until(() => gateway.snapshot().consumers.unknown.requests === 1, 'the report of the last request');
    const { declared, shown, unknown } = gateway.snapshot().consumers;
    assert.is(declared, 2);
    assert.equal(
      shown.map(({ name, plan, requests, refused }) => ({ name, plan, requests, refused })),
      [
        { name: 'acme', plan: 'gold', requests: 2, refused: { 'limit/exceeded': 1 } },
        { name: 'globex', plan: 'free', requests: 0, refused: {} },
      ],
    );
    assert.equal([unknown.requests, unknown.refused], [1, { 'auth/invalid': 1 }]);
  });
}

test.run();
