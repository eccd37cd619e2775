/** idempotency over sockets: slow and lost targets, clients that leave, retries, several workers, a worker that ends. */
import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { allocateState } from '../../src/state/memory.js';
import { freePort } from '../support/ports.js';
import { type Answer, call, closeAll, removeFolders, SpecFile, serveHttp, startGateway, until } from './control-kit.js';
import { type BuggyHost, buggyWorker, hostBuggyWorker } from './worker-kit.js';

interface Held {
  readonly incoming: IncomingMessage;
  readonly reply: ServerResponse;
}

/** An origin that counts what it does, and holds the replies to `/hold` until the test releases them. */
class Shop {
  readonly held: Held[] = [];
  /** Keys of the requests, in order. */
  readonly keys: (string | undefined)[] = [];
  status = 201;

  async open(): Promise<string> {
    const { url } = await serveHttp((incoming, reply) => {
      const key = incoming.headers['idempotency-key'];
      this.keys.push(typeof key === 'string' ? key : undefined);
      let body = '';
      incoming.on('data', (part: Buffer) => {
        body += part.toString();
      });
      incoming.on('end', () => {
        if (incoming.url === '/hold') this.held.push({ incoming, reply });
        else if (incoming.url === '/reset') incoming.socket.resetAndDestroy();
        else if (incoming.url === '/cut') cutReply(reply);
        else this.#done(reply, body);
      });
    });
    return url;
  }

  #done(reply: ServerResponse, body: string): void {
    reply.writeHead(this.status, { location: `/orders/${this.keys.length}`, 'set-cookie': 'last=1' });
    reply.end(`order ${this.keys.length}: ${body}`);
  }

  release(): void {
    this.#done(this.held.shift()!.reply, 'held');
  }
}

function cutReply(reply: ServerResponse): void {
  reply.writeHead(201, { 'content-length': '100' });
  reply.write('half');
  setImmediate(() => reply.socket?.resetAndDestroy());
}

let shop: Shop;
let target: string;
const hosts: BuggyHost[] = [];

test.before.each(async () => {
  shop = new Shop();
  target = await shop.open();
});
test.after.each(async () => {
  await Promise.all(hosts.splice(0).map(({ host }) => host.close()));
  await closeAll();
});
test.after(removeFolders);

const specOf = (keys = '', { more = '', targets = [target] } = {}): string => `spec = 1
[listener.main]
address = "127.0.0.1:0"
[service.shop]
targets = ${JSON.stringify(targets)}
response_timeout = "300ms"
${more}
[policy.once]
use = "idempotency"
${keys}
[[route]]
name = "shop"
match = "/{rest...}"
to = "shop"
policies = ["once"]
`;

const start = async (spec: string): Promise<string> =>
  (await startGateway({ spec: new SpecFile(spec).path, inline: true })).url;

/** Sends an order. `key`: undefined for none. */
const order = (url: string, { path = '/orders', key = '"k"', body = 'one', method = 'POST' } = {}): Promise<Answer> =>
  call(`${url}${path}`, { method, body, headers: { 'idempotency-key': key } });

const codeOf = ({ status, body }: Answer): string =>
  `${status} ${(JSON.parse(body) as { type: string }).type.slice(15)}`;

test('one order for many requests; the target gets the key; others get other orders', async () => {
  const url = await start(specOf());
  const first = await order(url);
  assert.equal([first.status, first.body, first.headers['idempotency-replayed']], [201, 'order 1: one', undefined]);
  for (let at = 0; at < 3; at++) {
    const again = await order(url, { key: 'k' });
    assert.equal([again.status, again.body], [201, 'order 1: one']);
    assert.is(again.headers['idempotency-replayed'], 'true');
    assert.is(again.headers['location'], '/orders/1');
    assert.is(again.headers['content-length'], '12');
  }
  assert.is(codeOf(await order(url, { body: 'two' })), '422 idempotency/key-reused');
  assert.is((await order(url, { key: '"other"', body: 'two' })).body, 'order 2: two');
  assert.is(codeOf(await order(url, { key: '"a" b' })), '400 idempotency/key-malformed');
  assert.equal(shop.keys, ['"k"', '"other"']);
});

test('a large body and a chunked reply are compared and repeated as a whole', async () => {
  const url = await start(specOf('max_body = "100KiB"'));
  const body = 'x'.repeat(90_000);
  const first = await order(url, { body });
  assert.is(first.body.length, 90_009);
  assert.is((await order(url, { body })).body, first.body);
  assert.is(codeOf(await order(url, { body: `${body.slice(1)}y` })), '422 idempotency/key-reused');
  assert.is(codeOf(await order(url, { key: 'new', body: 'x'.repeat(110_000) })), '413 request/body-too-large');
  assert.is(shop.keys.length, 1);
});

test('409 in progress; then the same reply', async () => {
  const url = await start(specOf());
  const first = order(url, { path: '/hold' });
  await until(() => shop.held.length === 1, 'the request');
  const second = await order(url, { path: '/hold' });
  assert.equal([codeOf(second), second.headers['retry-after']], ['409 idempotency/in-progress', '1']);
  shop.release();
  const { body } = await first;
  assert.is((await order(url, { path: '/hold' })).body, body);
  assert.is(shop.keys.length, 1);
});

test('a client that leaves finds its reply when it asks again', async () => {
  const url = await start(specOf());
  const headers = { 'idempotency-key': 'k' };
  const client = request(`${url}/hold`, { method: 'POST', headers }).on('error', () => {});
  client.end('one');
  await until(() => shop.held.length === 1, 'the request');
  client.socket?.resetAndDestroy();
  assert.is(codeOf(await order(url, { path: '/hold' })), '409 idempotency/in-progress');
  shop.release();
  let found: Answer | undefined;
  await until(async () => {
    found = await order(url, { path: '/hold' });
    return found.status === 201;
  }, 'the reply');
  assert.equal([found?.body, found?.headers['idempotency-replayed']], ['order 1: held', 'true']);
  assert.is(shop.keys.length, 1);
});

test('a method that may be repeated is not, if the request has a key and was sent', async () => {
  const url = await start(specOf('methods = ["PUT", "DELETE"]', { more: 'retries = 3\npipelining = 4' }));
  for (const [method, body] of [
    ['PUT', 'one'],
    ['DELETE', ''],
  ] as const) {
    const sent = shop.keys.length;
    const key = `"${method}"`;
    assert.is((await order(url, { path: '/reset', method, body, key })).status, 502, method);
    assert.is(codeOf(await order(url, { path: '/reset', method, body, key })), '409 idempotency/unknown');
    assert.is(shop.keys.length, sent + 1, method);
  }
});

for (const [what, path, status] of [
  ['a late reply', '/hold', 504],
  ['a lost connection', '/reset', 502],
] as const)
  test(`after ${what} the outcome is unknown, and nothing is sent again`, async () => {
    const url = await start(specOf('', { more: 'retries = 3' }));
    assert.is((await order(url, { path })).status, status);
    assert.is(codeOf(await order(url, { path })), '409 idempotency/unknown');
    assert.is(shop.keys.length, 1);
  });

test('an error of the target is not kept: unknown; a status of `free_on` frees the key', async () => {
  const url = await start(specOf('free_on = [503]'));
  shop.status = 500;
  assert.is((await order(url)).status, 500);
  assert.is(codeOf(await order(url)), '409 idempotency/unknown');
  shop.status = 503;
  assert.is((await order(url, { key: 'b' })).status, 503);
  shop.status = 201;
  assert.is((await order(url, { key: 'b' })).body, 'order 3: one');
});

test('a reply that is cut was done: 409 with its status', async () => {
  const url = await start(specOf());
  await order(url, { path: '/cut' }).catch(() => {});
  const again = await order(url, { path: '/cut' });
  assert.is(codeOf(again), '409 idempotency/reply-not-kept');
  assert.is((JSON.parse(again.body) as { completed_status: number }).completed_status, 201);
  assert.is(shop.keys.length, 1);
});

test('retries: a request that reached no target is sent to the next one, with its own claim', async () => {
  const closed = `http://127.0.0.1:${await freePort()}`;
  const url = await start(specOf('', { more: 'retries = 1\neject_after = 1000', targets: [closed, target] }));
  for (let at = 0; at < 4; at++) {
    const key = `k${at}`;
    assert.is((await order(url, { key })).status, 201);
    assert.is((await order(url, { key })).headers['idempotency-replayed'], 'true');
  }
  assert.is(shop.keys.length, 4);
});

test('without a target that can be reached the key is free', async () => {
  const spec = new SpecFile(specOf('', { targets: [`http://127.0.0.1:${await freePort()}`] }));
  const { url, gateway } = await startGateway({ spec: spec.path, inline: true });
  assert.is((await order(url)).status, 502);
  assert.is((await order(url)).status, 502);
  spec.write(specOf());
  assert.is((await gateway.reload())?.outcome, 'live');
  assert.is((await order(url)).body, 'order 1: one');
  spec.write(specOf('ttl = "2h"'));
  assert.is((await gateway.reload())?.outcome, 'live');
  assert.is((await order(url)).headers['idempotency-replayed'], 'true', 'an edit keeps keys and replies');
});

test('on_unknown = "retry": after the lease it is sent again', async () => {
  const url = await start(specOf('on_unknown = "retry"\nlease = "1s"'));
  shop.status = 500;
  assert.is((await order(url)).status, 500);
  shop.status = 201;
  const early = await order(url);
  assert.equal([codeOf(early), early.headers['retry-after']], ['409 idempotency/unknown', '1']);
  let found: Answer | undefined;
  await until(async () => {
    found = await order(url);
    return found.status === 201;
  }, 'the end of the lease');
  assert.is(found?.headers['idempotency-replayed'], undefined);
  assert.is(shop.keys.length, 2);
});

test('two workers: one order for requests at the same time, and none again after a worker has ended', async () => {
  const memory = allocateState({ workers: 2 });
  const spec = specOf('', { more: '' }).replace('300ms', '30s');
  for (const worker of [0, 1])
    hosts.push(await hostBuggyWorker(buggyWorker("[() => { throw new Error('crashed'); }]"), spec, { memory, worker }));
  const [first, second] = hosts as [BuggyHost, BuggyHost];
  for (let round = 0; round < 20; round++) {
    const key = `round ${round}`;
    const answers = await Promise.all([first, second, first, second].map(({ url }) => order(url, { key: `"${key}"` })));
    const done = answers.filter(({ status }) => status === 201);
    assert.ok(done.length >= 1);
    for (const { body } of done) assert.is(body, `order ${round + 1}: one`);
    for (const each of answers) if (each.status !== 201) assert.is(codeOf(each), '409 idempotency/in-progress');
    assert.is((await order(second.url, { key: `"${key}"` })).headers['idempotency-replayed'], 'true');
  }
  assert.is(shop.keys.length, 20);
  const cut = order(first.url, { path: '/hold' }).then(
    () => 'answered',
    () => 'cut',
  );
  await until(() => shop.held.length === 1, 'the request');
  assert.is(codeOf(await order(second.url, { path: '/hold' })), '409 idempotency/in-progress');
  first.command(1);
  assert.is(await cut, 'cut');
  await until(() => first.log.find(/worker \d serves again/), 'the replacement');
  for (const { url } of hosts) assert.is(codeOf(await order(url, { path: '/hold' })), '409 idempotency/unknown');
  for (const { url } of hosts)
    assert.is((await order(url, { key: '"round 3"' })).body, 'order 4: one', 'replies outlive the worker');
  assert.is(shop.keys.length, 21);
});

test.run();
