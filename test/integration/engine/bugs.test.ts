/** Bugs of gw's own on an exchange's way: something throws where nothing may. One exchange ends by it, and nothing else. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Matcher } from '../../../src/bundle/match/match.js';
import { Template } from '../../../src/policies/run-kit.js';
import { Pace } from '../../../src/proxy/downstream/http1/pace.js';
import { BodyReader } from '../../../src/proxy/http/body.js';
import { RequestHead } from '../../../src/proxy/http/request-head.js';
import { ResponseHead } from '../../../src/proxy/http/response-head.js';
import { Target } from '../../../src/proxy/upstream/target.js';
import { FaultTarget, ok, Plane, specOf, until } from '../engine-kit.js';

interface Context {
  target: FaultTarget;
  plane: Plane;
}
const test = suite<Context>('bugs on the way of an exchange');
const H = 'Host: a.example\r\n';
const GET = `GET / HTTP/1.1\r\n${H}\r\n`;

test.before.each(async (context) => {
  context.target = await FaultTarget.start();
  context.plane = await Plane.start(specOf(context.target.url));
});
test.after.each(async ({ target, plane }) => {
  for (const one of mend.splice(0)) one();
  await plane.close();
  await target.close();
});

const mend: (() => void)[] = [];

/** The next call of a method throws; those after it do as they always do. */
function breakOnce<T extends object>(of: T, method: Extract<keyof T, string>): void {
  const original = of[method];
  if (typeof original !== 'function') throw new Error(`${method} is no method`);
  let broken = false;
  const breaking = function (this: T, ...given: unknown[]): unknown {
    if (broken) return original.apply(this, given);
    broken = true;
    throw new Error(`a bug in ${method}`);
  };
  Object.defineProperty(of, method, { value: breaking, configurable: true, writable: true });
  mend.push(() => Object.defineProperty(of, method, { value: original, configurable: true, writable: true }));
}

const bugs = (plane: Plane): string[] =>
  plane.logs.filter(({ level }) => level === 'error').map(({ fields }) => String(fields?.error));

/** Others are served, nothing is left over, and one line of the log tells of it. */
async function unharmed(plane: Plane, method: string): Promise<void> {
  assert.is((await plane.ask(GET)).status, 200);
  const told = bugs(plane);
  assert.is(told.length, 1, told.join('\n'));
  assert.match(told[0]!, `a bug in ${method}`);
  assert.is((await plane.plane.drain(1000)).cut, 0);
}

test('a bug while a head is read: 500, and the connection closes', async ({ target, plane }) => {
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
  await unharmed(plane, 'parse');
});

test('a bug while a route is sought: 500, its record says so', async ({ target, plane }) => {
  breakOnce(Matcher.prototype, 'match');
  const client = plane.client();
  client.send(GET + GET);
  const reply = await client.reply();
  assert.is(reply.status, 500);
  const record = await plane.record(({ error }) => error === 'gateway/failed');
  assert.is(record.id, reply.header('x-request-id'));
  assert.is(record.status, 500);
  // Nothing was begun: the next request has nothing to fear from this one.
  assert.is((await client.reply()).status, 200);
  assert.is(target.arrived.length, 1);
  await unharmed(plane, 'match');
});

test('a bug in a request that was sent ahead ends with that one', async ({ target, plane }) => {
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
  await unharmed(plane, 'acquire');
});

test('a bug while the head for the target is written: 500, and its connection serves on', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { route: 'rewrite = "/{request.method}"' }));
  assert.is((await plane.ask(GET)).status, 200);
  breakOnce(Template.prototype, 'render');
  assert.is((await plane.ask(GET)).status, 500);
  assert.is(target.arrived.length, 1);
  assert.is(target.connections, 1);
  await unharmed(plane, 'render');
});

test('a bug while that is written on a connection that others share: 500', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { route: 'rewrite = "/{request.method}"', service: 'pipelining = 8' }));
  breakOnce(Template.prototype, 'render');
  const replies = await Promise.all([plane.ask(GET), plane.ask(GET), plane.ask(GET)]);
  assert.equal(replies.map(({ status }) => status).sort(), [200, 200, 500]);
  await unharmed(plane, 'render');
});

test('a bug while a reply is read: 500, the target is not to blame', async ({ target, plane }) => {
  breakOnce(ResponseHead.prototype, 'read');
  assert.is((await plane.ask(GET)).status, 500);
  await unharmed(plane, 'read');
  assert.not.ok(plane.logs.some(({ message }) => /reset|eject|rest/i.test(message)));
  assert.is(target.connections, 2);
});

test('a bug after the head of a reply went out: the client sees that it was cut', async ({ target, plane }) => {
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
  await unharmed(plane, 'take');
});

test('a bug while deadlines are looked at ends that connection alone', async ({ target, plane }) => {
  target.respond = () => {};
  const client = plane.client();
  client.send(`POST / HTTP/1.1\r\n${H}Content-Length: 10\r\n\r\nabc`);
  await until(() => target.arrived.length === 1, 'the request');
  breakOnce(Pace.prototype, 'look');
  assert.is((await client.reply()).status, 500);
  await client.end();
  target.respond = ok('hello');
  await unharmed(plane, 'look');
});

test.run();
