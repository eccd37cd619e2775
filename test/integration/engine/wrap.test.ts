import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { CreatePolicy, Handler, Reply } from '../../../src/policies/contract.js';
import { BytesReply } from '../../../src/policies/run-kit.js';
import { runHalves } from '../../../src/policies/run-registry.js';
import { FaultTarget, generationOf, ok, Plane, say, specOf, until } from '../engine-kit.js';

/** What the policy under test does; it answers later than the target, as policies that ask somebody do. */
let behave: (next: Handler) => Handler = (next) => next;
const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
const create: CreatePolicy = () => ({ wrap: (next) => (exchange) => behave(next)(exchange) });

interface Context {
  target: FaultTarget;
  plane: Plane;
}
const test = suite<Context>('policies that wrap');
const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';
const WHOLE = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

test.before.each(async (context) => {
  Object.assign(runHalves, { 'test-wrap': create });
  context.target = await FaultTarget.start();
  context.plane = await Plane.start(specOf(context.target.url));
  const input = generationOf(specOf(context.target.url), context.plane.registry, 9);
  const policy = {
    use: 'test-wrap',
    name: 'w',
    phase: 'transform',
    identity: 'w',
    settings: null,
    config: {},
    origins: {},
  } as const;
  const routes = input.program.routes.map((route) => ({ ...route, policies: [0] }));
  await context.plane.plane.load({ ...input, program: { ...input.program, policies: [policy], routes } });
  behave = (next) => async (exchange) => {
    const reply = await next(exchange);
    await later();
    return reply;
  };
});
test.after.each(async ({ target, plane }) => {
  await plane.close();
  await target.close();
});

test('a reply waits for the policy, whatever its body', async ({ target, plane }) => {
  const client = plane.client();
  const big = 'x'.repeat(300_000);
  for (const [reply, body] of [
    ['Content-Length: 2\r\n\r\nok', 'ok'],
    ['Content-Length: 0\r\n\r\n', ''],
    ['Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n', 'ok'],
    [`Content-Length: ${big.length}\r\n\r\n${big}`, big],
  ] as const) {
    target.respond = say(`HTTP/1.1 200 OK\r\n${reply}`);
    client.send(GET);
    assert.is((await client.reply()).body.toString(), body);
  }
  assert.is(target.connections, 1);
  client.destroy();
});

test('a policy may ask twice, and throw the first reply away', async ({ target, plane }) => {
  behave = (next) => async (exchange) => {
    const first = await next(exchange);
    if (first.status !== 503) return first;
    if (first.body !== null && !(first.body instanceof Uint8Array)) first.body.discard();
    return next(exchange);
  };
  target.respond = (request, socket) => {
    if (target.arrived.length > 1) ok('second')(request, socket);
    else socket.write('HTTP/1.1 503 Busy\r\nContent-Length: 100000\r\n\r\nnever whole');
  };
  assert.is((await plane.ask(GET)).body.toString(), 'second');
});

test('the error of a first attempt is not in the record of a second one that succeeds', async ({ target, plane }) => {
  behave = (next) => async (exchange) => {
    const first = await next(exchange);
    return first.status === 502 ? next(exchange) : first;
  };
  target.respond = (request, socket) => say(target.arrived.length > 1 ? WHOLE : 'nonsense\r\n')(request, socket);
  assert.is((await plane.ask(GET)).body.toString(), 'ok');
  const { error, cause } = await plane.record(({ status }) => status === 200);
  assert.equal([error, cause], [null, null]);
});

test('a body that was sent cannot be sent again: 500', async ({ plane }) => {
  behave = (next) => async (exchange) => {
    await next(exchange);
    return next(exchange);
  };
  const reply = await plane.ask('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi');
  assert.is(reply.status, 500);
});

test('a policy may put its own body in place', async ({ target, plane }) => {
  behave = (next) => async (exchange) => {
    const reply = await next(exchange);
    reply.headers.set('x-edited', 'yes');
    if (reply.body !== null && !(reply.body instanceof Uint8Array)) reply.body.discard();
    reply.body = Buffer.from('mine');
    return reply;
  };
  target.respond = ok('theirs', 'X-Kept: 1\r\n');
  const reply = await plane.ask(GET);
  assert.is(reply.body.toString(), 'mine');
  assert.is(reply.header('x-edited'), 'yes');
  assert.is(reply.header('x-kept'), '1');
  assert.is(reply.header('content-length'), '4');
});

test('what no reply can be is the policy’s failure: 500', async ({ plane }) => {
  for (const status of [0, 99, 101, 199, 600, 200.5]) {
    behave = () => () => new BytesReply(status);
    assert.is((await plane.ask(GET)).status, 500, String(status));
  }
});

test('a client that leaves while a policy waits is no unhandled rejection', async ({ target, plane }) => {
  target.respond = () => {};
  const client = plane.client();
  client.send(GET);
  await until(() => target.arrived.length === 1, 'the request');
  client.socket.resetAndDestroy();
  await until(() => target.open === 0, 'the target to be let go');
  behave = () => () => new Promise(() => {});
  target.respond = ok('x');
  const other = plane.client();
  other.send(GET);
  await plane.plane.drain(30);
  await until(() => other.closed, 'the cut');
});

/** The generation under test with another timeout for its route or service. */
async function reload(plane: Plane, spec: string): Promise<void> {
  const input = generationOf(spec, plane.registry, 10);
  const policy = {
    use: 'test-wrap',
    name: 'w',
    phase: 'transform',
    identity: 'w2',
    settings: null,
    config: {},
    origins: {},
  };
  const routes = input.program.routes.map((route) => ({ ...route, policies: [0] }));
  await plane.plane.load({
    ...input,
    program: { ...input.program, policies: [{ ...policy, phase: 'transform' as const }], routes },
  });
}

test('a policy that goes on after its exchange is over asks nobody and hurts no later exchange', async ({
  target,
  plane,
}) => {
  await reload(plane, specOf(target.url, { route: 'timeout = "50ms"' }));
  let goOn = (): void => {};
  let went: Promise<unknown> | undefined;
  behave = (next) => async (exchange) => {
    await new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const reply = next(exchange);
    went = Promise.resolve(reply).catch(() => 'refused');
    return reply;
  };
  const client = plane.client();
  client.send(GET);
  assert.is((await client.reply()).status, 504);
  behave = (next) => next;
  await reload(plane, specOf(target.url));
  let answer = (): void => {};
  target.respond = (request, socket) => {
    answer = () => ok('second')(request, socket);
  };
  client.send('GET /second HTTP/1.1\r\nHost: a.example\r\n\r\n');
  await until(() => target.arrived.length === 1, 'the second request');
  goOn();
  await until(() => went !== undefined, 'the policy to go on');
  assert.is(await Promise.race([went, client.end().then(() => 'ended')]), 'refused');
  answer();
  assert.is((await client.reply()).body.toString(), 'second');
  assert.equal(
    target.arrived.map(({ url }) => url),
    ['/second'],
  );
  client.destroy();
});

test('a policy that thinks about a reply for longer than the target may take is waited for', async ({
  target,
  plane,
}) => {
  await reload(plane, specOf(target.url, { service: 'response_timeout = "100ms"' }));
  behave = (next) => async (exchange) => {
    const reply = await next(exchange);
    await new Promise((resolve) => setTimeout(resolve, 400));
    return reply;
  };
  target.respond = ok('x'.repeat(200_000));
  assert.is((await plane.ask(GET)).body.length, 200_000);
});

test('an answer that is no reply at all is the policy’s failure: 500', async ({ plane }) => {
  const nothing: unknown[] = [undefined, null, 5, {}, { status: 200, body: null }];
  for (const answer of nothing) {
    behave = () => () => answer as Reply;
    assert.is((await plane.ask(GET)).status, 500, `at once: ${JSON.stringify(answer)}`);
    behave = () => async () => answer as Reply;
    assert.is((await plane.ask(GET)).status, 500, `later: ${JSON.stringify(answer)}`);
  }
});

/** The policy waits for the target; what it is told instead of a reply. */
function listens(): unknown[] {
  const told: unknown[] = [];
  behave = (next) => async (exchange) => {
    try {
      return await next(exchange);
    } catch (error) {
      told.push(error);
      throw error;
    }
  };
  return told;
}

test('a request whose body breaks off ends the policy’s wait for the target', async ({ target, plane }) => {
  const told = listens();
  target.respond = () => {};
  const reply = await plane.ask('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnonsense');
  assert.is(reply.status, 400);
  await until(() => told.length === 1, 'the policy to be told');
});

test('the drain’s deadline ends the policy’s wait for the target', async ({ target, plane }) => {
  const told = listens();
  target.respond = () => {};
  const client = plane.client();
  client.send(GET);
  await until(() => target.arrived.length === 1, 'the request');
  await plane.plane.drain(20);
  await until(() => told.length === 1, 'the policy to be told');
  client.destroy();
});

test('a body that a policy gives to a 204 or 304 does not go out', async ({ plane }) => {
  const client = plane.client();
  for (const status of [204, 304]) {
    behave = () => () => new BytesReply(status, { body: 'never' });
    client.send(GET);
    assert.is((await client.reply()).status, status);
  }
  behave = () => () => new BytesReply(200, { body: 'after' });
  client.send(GET);
  assert.is((await client.reply()).body.toString(), 'after');
  client.destroy();
});

test('whatever a policy puts into the query, it begins no line of the head', async ({ target, plane }) => {
  behave = (next) => (exchange) => {
    exchange.query = 'a=\r\nX-Evil: 1#\xe4';
    return next(exchange);
  };
  assert.is((await plane.ask(GET)).status, 200);
  assert.is(target.arrived[0]!.url, '/?a=%0D%0AX-Evil:%201%23%C3%A4');
  assert.is(target.arrived[0]!.header('x-evil'), undefined);
});

test('a date that a policy sets is the only one', async ({ target, plane }) => {
  behave = (next) => async (exchange) => {
    const reply = await next(exchange);
    reply.headers.set('date', 'Sun, 06 Nov 1994 08:49:37 GMT');
    return reply;
  };
  target.respond = ok('x');
  assert.is((await plane.ask(GET)).header('date'), 'Sun, 06 Nov 1994 08:49:37 GMT');
});

test('a 304 that a policy makes a 200 has no body that the target never sent', async ({ target, plane }) => {
  behave = (next) => async (exchange) => {
    const reply = await next(exchange);
    reply.status = 200;
    return reply;
  };
  target.respond = say('HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n');
  const client = plane.client();
  for (let i = 0; i < 2; i++) {
    client.send(GET);
    const reply = await client.reply();
    assert.is(reply.status, 200);
    assert.is(reply.body.length, 0);
  }
  client.destroy();
});

test.run();
