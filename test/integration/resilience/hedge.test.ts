/** Attempts that begin beside others which take long: `hedge`. */
import * as assert from 'uvu/assert';
import { Counter } from '../../../src/telemetry/stats/layout.js';
import { never, sayAndClose, whole } from '../../support/fault-target.js';
import { H2Target } from '../../support/h2-target.js';
import { withPolicies } from '../../support/test-policies.js';
import { type Fault, type FaultTarget, ok, type RawClient, type RawReply, say, specOf, until } from '../engine-kit.js';
import { loadFresh, type StoppedWorld, stoppedSuite } from './stopped-world.js';

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a.example\r\n\r\n`;
const send = (method: string, path: string, body: string): string =>
  `${method} ${path} HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const ANSWERED = 'another attempt was answered first';
const CANCEL = 8;

type World = StoppedWorld;
const test = stoppedSuite('hedge');

test.before(({ plane }) => plane.plane.watch('decisions'));

/** Both targets of a new service, with this line of `hedge` and others of its `retry`. */
async function use(world: World, hedge: string, { retry = 'attempts = 0', service = '', one = false, eject = 1 } = {}) {
  const { plane, first, second } = world;
  const text = `eject_after = ${eject}\n${service}\n[service.it.retry]\nbackoff = "0s"\nhedge = ${hedge}\n${retry}`;
  await loadFresh(world, one ? first.url : [first.url, second.url], { service: text });
  plane.logs.length = 0;
}

/** The first requests get these replies, in turn, at whichever target; further ones a good one. Returns where they arrived. */
function replies({ first, second }: World, ...faults: Fault[]): FaultTarget[] {
  const order: FaultTarget[] = [];
  for (const target of [first, second])
    target.respond = (request, socket) => {
      order.push(target);
      (faults.shift() ?? ok('well'))(request, socket);
    };
  return order;
}

/** Asks, and lets `ms` milliseconds pass once a request has arrived. */
async function slowly({ plane, time }: World, order: readonly unknown[], text: string, ms = 40): Promise<RawReply> {
  const client = plane.client();
  try {
    client.send(text);
    await until(() => order.length >= 1, 'the request');
    time.pass(ms);
    return await client.reply();
  } finally {
    client.destroy();
  }
}

/** A client whose request is at both targets: one attempt began beside the other. */
async function twice(world: World, order: readonly unknown[], path: string): Promise<RawClient> {
  const client = world.plane.client();
  client.send(get(path));
  await until(() => order.length === 1, 'the first attempt');
  world.time.pass(40);
  await until(() => order.length === 2, 'the second attempt');
  return client;
}

/** In flight at both targets, as gw counts them. */
async function settled({ plane }: World): Promise<void> {
  await until(() => plane.targetSum(Counter.InFlight) === 0, 'no request in flight');
}

test('the first reply is used, and the other attempt is cancelled', async (world) => {
  await use(world, '"30ms"');
  const order = replies(world, never);
  const reply = await slowly(world, order, get('/slow'));
  assert.is(reply.body.toString(), 'well');
  const [slow, fast] = order;
  assert.is.not(slow, fast);
  await until(() => slow!.open === 0, 'the end of the slow connection');
  assert.is(fast!.open, 1);
  const record = await world.plane.record(({ url }) => url === '/slow');
  assert.equal([record.target, record.status, record.error], [fast!.url, 200, null]);
  assert.equal(
    record.attempts?.map(({ target, why }) => [target, why]),
    [[slow!.url, ANSWERED]],
  );
  assert.ok(record.decisions?.some(({ use, why }) => use === 'hedge' && why.startsWith('no reply after 30 ms')));
  // Neither a success nor a failure of the slow target, although one failure would eject it.
  assert.not(world.plane.logs.some(({ message }) => message.includes('ejected')));
  assert.equal([world.plane.targetSum(Counter.Hedged), world.plane.targetSum(Counter.HedgesWon)], [1, 1]);
  await settled(world);
});

test('the attempt that began first may still win', async (world) => {
  await use(world, '"30ms"');
  const order = replies(world, never, never);
  const client = await twice(world, order, '/early');
  order[0]!.arrived[0]!.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly');
  assert.is((await client.reply()).body.toString(), 'early');
  await until(() => order[1]!.open === 0, 'the end of the other connection');
  const record = await world.plane.record(({ url }) => url === '/early');
  assert.equal([record.target, record.attempts?.[0]?.target], [order[0]!.url, order[1]!.url]);
  // The connection of the winner takes further requests.
  client.send(get('/again'));
  await client.reply();
  assert.is(order[0]!.open, 1);
  client.destroy();
  await settled(world);
});

test('one attempt fails: the other one is waited for, without a retry', async (world) => {
  await use(world, '"30ms"', { service: 'eject_for = "0s"' });
  const order = replies(world, never, never);
  const client = await twice(world, order, '/one');
  order[0]!.arrived[0]!.socket.destroy();
  await until(() => world.plane.logs.some(({ message }) => message.includes('ejected')), 'the failure');
  order[1]!.arrived[0]!.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  assert.is((await client.reply()).body.toString(), 'ok');
  const record = await world.plane.record(({ url }) => url === '/one');
  assert.match(record.attempts?.[0]?.why ?? '', /^connection closed by the target/);
  client.destroy();
  await settled(world);
});

test('both fail: the request fails, or is repeated', async (world) => {
  await use(world, '"30ms"', { service: 'eject_for = "0s"' });
  let order = replies(world, never, sayAndClose());
  const client = await twice(world, order, '/both');
  order[0]!.arrived[0]!.socket.destroy();
  assert.is((await client.reply()).status, 502);
  const record = await world.plane.record(({ url }) => url === '/both');
  assert.equal([record.error, record.attempts?.length], ['upstream/reset', 1]);
  client.destroy();
  await use(world, '"30ms"', { retry: 'attempts = 1', eject: 0 });
  order = replies(world, never, sayAndClose());
  const other = await twice(world, order, '/again');
  order[0]!.arrived[0]!.socket.destroy();
  assert.equal([(await other.reply()).status, order.length], [200, 3]);
  other.destroy();
  await settled(world);
});

test('a status in `statuses` does not win while another attempt is in progress', async (world) => {
  await use(world, '"30ms"', { retry: 'statuses = [503]\nattempts = 1' });
  const order = replies(world, never, say('HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n'));
  const client = await twice(world, order, '/status');
  order[0]!.arrived[0]!.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  assert.is((await client.reply()).status, 200);
  client.destroy();
  await settled(world);
});

test('the client leaves: both attempts end', async (world) => {
  await use(world, '"30ms"');
  const order = replies(world, never, never);
  const client = await twice(world, order, '/left');
  client.socket.resetAndDestroy();
  await until(() => world.first.open + world.second.open === 0, 'the end of both');
  await settled(world);
  assert.not(world.plane.logs.some(({ message }) => message.includes('ejected')));
});

test('not POST, no body that is not kept, and not with one target', async (world) => {
  await use(world, '"30ms"', { retry: 'attempts = 0\nmax_body = "1KiB"' });
  const order = replies(world, never, never, never);
  const clients = [world.plane.client(), world.plane.client()];
  clients[0]!.send(send('POST', '/', 'x'));
  clients[1]!.send(send('PUT', '/', 'x'.repeat(2000)));
  await until(() => order.length === 2, 'both requests');
  const third = world.plane.client();
  third.send(get('/'));
  await until(() => order.length === 3, 'the third request');
  world.time.pass(40);
  // Alarms ring in order: those of the requests before have.
  assert.is((await third.reply()).body.toString(), 'well');
  assert.is(order.length, 4);
  for (const client of [...clients, third]) client.destroy();
  await use(world, '"30ms"', { one: true, service: 'response_timeout = "150ms"' });
  assert.is((await slowly(world, replies(world, never), get('/'), 300)).status, 504);
  assert.is(world.first.arrived.length, 1);
});

test('a body is sent again as a whole, also one that a policy has collected', async (world) => {
  const bodies: string[] = [];
  const take = (then: Fault): Fault => whole((bytes) => bodies.push(bytes.toString()), then);
  await use(world, '"30ms"');
  replies(world, take(never), take(ok('well')));
  assert.is((await slowly(world, bodies, send('PUT', '/body', 'abcd'))).body.toString(), 'well');
  assert.equal(bodies.splice(0), ['abcd', 'abcd']);
  const { plane, first, second } = world;
  const service = '[service.it.retry]\nhedge = "30ms"\nmax_body = "0B"';
  const body = { request: { max: 1000, mandatory: false } };
  const collects = withPolicies([{ run: { onRequestBody: () => undefined }, body }]);
  await plane.load(specOf([first.url, second.url], { service }), collects);
  replies(world, take(never), take(ok('well')));
  assert.is((await slowly(world, bodies, send('PUT', '/collected', 'efgh'))).body.toString(), 'well');
  assert.equal(bodies, ['efgh', 'efgh']);
  await settled(world);
});

test('the budget bounds them', async (world) => {
  await use(world, '"20ms"', {
    retry: 'attempts = 0\nbudget = 1\nbudget_min = 0',
    service: 'response_timeout = "150ms"',
  });
  const order = replies(world, never);
  const client = world.plane.client();
  client.send(get('/'));
  await until(() => order.length === 1, 'the request');
  world.time.pass(40);
  await until(() => world.plane.targetSum(Counter.RetriesDenied) > 0, 'the refusal');
  world.time.pass(300);
  assert.is((await client.reply()).status, 504);
  assert.is(order.length, 1);
  client.destroy();
});

test('at most `attempts` of them, each at another target', async (world) => {
  await use(world, '{ after = "20ms", attempts = 3 }');
  const order = replies(world, never, never, never);
  const client = await twice(world, order, '/');
  order[0]!.arrived[0]!.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  await client.reply();
  assert.is(order.length, 2);
  client.destroy();
  await settled(world);
});

test('a percentile of the latencies says when, once there are enough', async (world) => {
  await use(world, '{ after = "p90", min = "20ms" }', { service: 'response_timeout = "150ms"', eject: 0 });
  const fast = replies(world);
  for (let at = 0; at < 25; at++) await world.plane.ask(get('/'));
  assert.is(fast.length, 25);
  // The estimate is found anew after a sweep.
  for (let at = 0; ; at++) {
    if ((await slowly(world, replies(world, never), get('/slow'), 300)).status === 200) break;
    assert.ok(at < 20, 'no second attempt');
  }
  assert.ok(world.plane.targetSum(Counter.Hedged) > 0);
});

test('attempt_timeout ends each of them', async (world) => {
  await use(world, '"20ms"', { retry: 'attempts = 0\nattempt_timeout = "60ms"' });
  const order = replies(world, never, never);
  const client = await twice(world, order, '/times');
  world.time.pass(100);
  assert.is((await client.reply()).status, 504);
  client.destroy();
  const record = await world.plane.record(({ url }) => url === '/times');
  assert.equal([record.cause, record.attempts?.[0]?.why], ['attempt timeout (60 ms)', 'attempt timeout (60 ms)']);
  await settled(world);
});

test('over HTTP/2 the slow stream is reset, and its connection stays', async (world) => {
  const { plane } = world;
  const targets = [await H2Target.start(), await H2Target.start()];
  let code: number | undefined;
  const asked: unknown[] = [];
  for (const target of targets)
    target.respond = (stream) => {
      if (asked.push(stream) === 1)
        stream.on('close', () => {
          code = stream.rstCode;
        });
      else {
        stream.respond({ ':status': 200 });
        stream.end('well');
      }
    };
  const service = 'protocol = "h2"\n[service.it.retry]\nhedge = "30ms"';
  await plane.load(
    specOf(
      targets.map(({ url }) => url),
      { service },
    ),
  );
  assert.is((await slowly(world, asked, get('/'))).body.toString(), 'well');
  await until(() => code !== undefined, 'the reset');
  assert.is(code, CANCEL);
  assert.equal(
    targets.map(({ open }) => open),
    [1, 1],
  );
  for (const target of targets) await target.close();
});

test('policies see both attempts', async (world) => {
  const { plane, first, second } = world;
  const numbers: number[] = [];
  const signs = withPolicies([
    {
      run: {
        onAttempt: async (_exchange, attempt) => {
          numbers.push(attempt.number);
          attempt.set('x-number', String(attempt.number));
          await Promise.resolve();
          return undefined;
        },
      },
    },
  ]);
  await plane.load(specOf([first.url, second.url], { service: '[service.it.retry]\nhedge = "30ms"' }), signs);
  for (const target of [first, second]) target.forget();
  const order = replies(world, never);
  assert.is((await slowly(world, order, get('/'))).status, 200);
  assert.equal(numbers, [1, 2]);
  assert.equal(
    order.map((target) => target.arrived[0]!.header('x-number')),
    ['1', '2'],
  );
});

test.run();
