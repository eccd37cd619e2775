/** Internal errors: an exception in gw ends one exchange and affects nothing else. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Matcher } from '../../../src/bundle/match/match.js';
import { Template } from '../../../src/policies/run-kit.js';
import { Pace } from '../../../src/proxy/downstream/http1/pace.js';
import { ReplyWriter } from '../../../src/proxy/downstream/http1/reply-writer.js';
import { BodyReader } from '../../../src/proxy/http/body.js';
import { RequestHead } from '../../../src/proxy/http/request-head.js';
import { ResponseHead } from '../../../src/proxy/http/response-head.js';
import { Target } from '../../../src/proxy/upstream/target.js';
import { sayAndClose } from '../../support/fault-target.js';
import { FaultTarget, ok, Plane, specOf, until } from '../engine-kit.js';

interface Context {
  target: FaultTarget;
  plane: Plane;
}
const test = suite<Context>('internal errors');
const H = 'Host: a.example\r\n';
const GET = `GET / HTTP/1.1\r\n${H}\r\n`;

test.before.each(async (context) => {
  context.target = await FaultTarget.start();
  context.plane = await Plane.start(specOf(context.target.url));
});
test.after.each(async ({ target, plane }) => {
  for (const restore of restores.splice(0)) restore();
  await plane.close();
  await target.close();
});

const restores: (() => void)[] = [];

/** Makes the next call of a method throw; later calls behave normally. */
function breakOnce<T extends object>(of: T, method: Extract<keyof T, string>): void {
  const original = of[method];
  if (typeof original !== 'function') throw new Error(`${method} is not a method`);
  let broken = false;
  const breaking = function (this: T, ...given: unknown[]): unknown {
    if (broken) return original.apply(this, given);
    broken = true;
    throw new Error(`a bug in ${method}`);
  };
  Object.defineProperty(of, method, { value: breaking, configurable: true, writable: true });
  restores.push(() => Object.defineProperty(of, method, { value: original, configurable: true, writable: true }));
}

const bugs = (plane: Plane): string[] =>
  plane.logs.filter(({ level }) => level === 'error').map(({ fields }) => String(fields?.error));

/** Asserts that further requests are served, nothing leaks, and the log has one line about the bug. */
async function assertUnaffected(plane: Plane, method: string): Promise<void> {
  assert.is((await plane.ask(GET)).status, 200);
  const logged = bugs(plane);
  assert.is(logged.length, 1, logged.join('\n'));
  assert.match(logged[0]!, `a bug in ${method}`);
  assert.is((await plane.plane.drain(1000)).cut, 0);
}

test('an exception in the head parser: 500, and the connection closes', async ({ target, plane }) => {
  breakOnce(RequestHead.prototype, 'parse');
  const client = plane.client();
  client.send(GET + GET);
  const reply = await client.reply();
  assert.is(reply.status, 500);
  assert.is(JSON.parse(reply.body.toString()).type, 'urn:gw:problem:gateway/failed');
  assert.not.match(reply.body.toString(), /bug|parse/);
  await client.end();
  assert.is(client.pending, '');
  assert.is(target.arrived.length, 0);
  await assertUnaffected(plane, 'parse');
});

test('an exception in the matcher: 500, with the error in its record', async ({ target, plane }) => {
  breakOnce(Matcher.prototype, 'match');
  const client = plane.client();
  client.send(GET + GET);
  const reply = await client.reply();
  assert.is(reply.status, 500);
  const record = await plane.record(({ error }) => error === 'gateway/failed');
  assert.is(record.id, reply.header('x-request-id'));
  assert.is(record.status, 500);
  // No exchange had started, so the next request on the connection is served.
  assert.is((await client.reply()).status, 200);
  assert.is(target.arrived.length, 1);
  await assertUnaffected(plane, 'match');
});

test('an exception in a pipelined request affects only that request', async ({ target, plane }) => {
  target.respond = (request, socket) => {
    if (request.url === '/first') breakOnce(Target.prototype, 'acquire');
    ok('hello')(request, socket);
  };
  const client = plane.client();
  client.send(`GET /first HTTP/1.1\r\n${H}\r\n${GET}${GET}`);
  assert.is((await client.reply()).status, 200);
  const reply = await client.reply();
  assert.is(reply.status, 500);
  assert.is(reply.header('connection'), 'close');
  await client.end();
  assert.is(client.pending, '');
  assert.is(target.arrived.length, 1);
  await assertUnaffected(plane, 'acquire');
});

test('an exception while the upstream head is written: 500, and the target connection stays usable', async ({
  target,
  plane,
}) => {
  await plane.load(specOf(target.url, { route: 'rewrite = "/{request.method}"' }));
  assert.is((await plane.ask(GET)).status, 200);
  breakOnce(Template.prototype, 'render');
  assert.is((await plane.ask(GET)).status, 500);
  assert.is(target.arrived.length, 1);
  assert.is(target.connections, 1);
  await assertUnaffected(plane, 'render');
});

test('an exception while the head is written on a pipelined target connection: 500 for one request', async ({
  target,
  plane,
}) => {
  await plane.load(specOf(target.url, { route: 'rewrite = "/{request.method}"', service: 'pipelining = 8' }));
  breakOnce(Template.prototype, 'render');
  const replies = await Promise.all([plane.ask(GET), plane.ask(GET), plane.ask(GET)]);
  assert.equal(replies.map(({ status }) => status).sort(), [200, 200, 500]);
  await assertUnaffected(plane, 'render');
});

test('an exception in the reply parser: 500, and it does not count as a target failure', async ({ target, plane }) => {
  breakOnce(ResponseHead.prototype, 'read');
  assert.is((await plane.ask(GET)).status, 500);
  await assertUnaffected(plane, 'read');
  assert.not.ok(plane.logs.some(({ message }) => /reset|eject|rest/i.test(message)));
  assert.is(target.connections, 2);
});

test('an exception after the reply head was sent: the reply is aborted', async ({ target, plane }) => {
  target.respond = (_request, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello');
  };
  const client = plane.client();
  client.send(GET);
  await until(() => client.pending.endsWith('hello'), 'half of the reply');
  breakOnce(BodyReader.prototype, 'take');
  target.sockets[0]!.write('world');
  await client.end();
  assert.ok(client.pending.endsWith('hello'));
  assert.ok(await plane.record(({ error }) => error === 'gateway/failed'));
  target.respond = ok('hello');
  await assertUnaffected(plane, 'take');
});

test('an exception in the deadline check ends only that connection', async ({ target, plane }) => {
  target.respond = () => {};
  const client = plane.client();
  client.send(`POST / HTTP/1.1\r\n${H}Content-Length: 10\r\n\r\nabc`);
  await until(() => target.arrived.length === 1, 'the request');
  breakOnce(Pace.prototype, 'check');
  assert.is((await client.reply()).status, 500);
  await client.end();
  target.respond = ok('hello');
  await assertUnaffected(plane, 'check');
});

test('an exception when a collected body asks for a target: 500', async ({ target, plane }) => {
  breakOnce(Target.prototype, 'acquire');
  const client = plane.client();
  client.send(`POST / HTTP/1.1\r\n${H}Content-Length: 10\r\n\r\nabc`);
  assert.is((await client.reply()).status, 500);
  await client.end();
  assert.is(target.arrived.length, 0);
  await assertUnaffected(plane, 'acquire');
});

test('an exception while a reply of gw is sent in an event of the target ends only that connection', async ({
  target,
  plane,
}) => {
  await plane.load(specOf(target.url, { service: 'retries = 0' }));
  target.respond = sayAndClose();
  breakOnce(ReplyWriter.prototype, 'whole');
  const client = plane.client();
  client.send(GET);
  await client.end();
  assert.ok(await plane.record(({ error }) => error === 'gateway/failed'));
  target.respond = ok('hello');
  await assertUnaffected(plane, 'whole');
});

test.run();
