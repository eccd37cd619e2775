/** Trailer fields over HTTP/1.1, in both directions. */
import * as assert from 'uvu/assert';
import type { BodyStage, HeaderFields, PolicyInstance, StageOut } from '../../../src/policies/contract.js';
import * as faults from '../../support/fault-target.js';
import { withPolicies } from '../../support/test-policies.js';
import { type Fault, type FaultTarget, type Plane, say, specOf, until } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const test = engineSuite('trailers');

const CHUNKED = 'POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n';

const NONE = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';

/** Waits for the whole request, and replies. */
const readAll: Fault = (request, socket) =>
  faults.whole(
    () => {},
    () => socket.write(NONE),
  )(request, socket);

/** What the target gets after the head. */
async function sent(plane: Plane, target: FaultTarget, text: string): Promise<string> {
  target.respond = readAll;
  assert.is((await plane.ask(text)).status, 200);
  return target.arrived.at(-1)!.rest.toString('latin1');
}

test('request trailers reach the target with the last chunk, without forbidden ones', async ({ plane, target }) => {
  const trailers = 'X-Sum: 1\r\nHost: evil\r\nContent-Length: 3\r\nAuthorization: x\r\nx-consumer-name: root\r\n';
  const got = await sent(plane, target, `${CHUNKED}\r\n3\r\nabc\r\n0\r\n${trailers}\r\n`);
  assert.ok(got.endsWith('3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n'), got);
});

test('a body that comes in parts keeps its trailers; the next request has none of them', async ({ plane, target }) => {
  target.respond = readAll;
  const client = plane.client();
  client.send(`${CHUNKED}\r\n3\r\nabc\r\n`);
  await until(() => target.arrived[0]?.rest.includes('abc') === true, 'the first part');
  client.send('0\r\nX-Sum: 2\r\n\r\n');
  assert.is((await client.reply()).status, 200);
  assert.is(target.arrived[0]!.rest.toString(), '3\r\nabc\r\n0\r\nx-sum: 2\r\n\r\n');
  client.send(`${CHUNKED}\r\n1\r\nz\r\n0\r\n\r\n`);
  assert.is((await client.reply()).status, 200);
  assert.is(target.arrived[1]!.rest.toString(), '1\r\nz\r\n0\r\n\r\n');
  client.destroy();
});

const stages: PolicyInstance = {
  requestStage: (_exchange, out) => adding(out, 'x-request-stage'),
  replyStage: (_exchange, _reply, out) => adding(out, 'x-reply-stage'),
};

/** Passes the body on, and adds a field to its trailers. */
const adding = (out: StageOut, name: string): BodyStage => ({
  write: (bytes) => out.write(bytes),
  end: (trailers: HeaderFields | undefined) => {
    trailers?.set(name, 'yes');
    out.end(trailers);
  },
  abort() {},
});

test('stages of policies get trailers and change them', async ({ plane, target }) => {
  await plane.load(specOf(target.url, {}), withPolicies([{ run: stages }]));
  const got = await sent(plane, target, `${CHUNKED}\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n`);
  assert.ok(got.endsWith('0\r\nx-sum: 1\r\nx-request-stage: yes\r\n\r\n'), got);
});

const REPLY =
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\nSet-Cookie: a=b\r\n\r\n';

async function replyTo(plane: Plane, fields: string): Promise<string> {
  const client = plane.client();
  client.send(`GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close${fields}\r\n\r\n`);
  await client.end();
  return client.pending.slice(client.pending.indexOf('\r\n\r\n') + 4);
}

test('reply trailers go to clients that ask for them, without forbidden ones', async ({ plane, target }) => {
  target.respond = say(REPLY);
  assert.is(await replyTo(plane, ', te\r\nTE: trailers'), '2\r\nhi\r\n0\r\nx-sum: 1\r\n\r\n');
  assert.is(await replyTo(plane, ''), '2\r\nhi\r\n0\r\n\r\n');
  assert.is(await replyTo(plane, ', te\r\nTE: deflate'), '2\r\nhi\r\n0\r\n\r\n');
  target.respond = say('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi');
  assert.is(await replyTo(plane, ', te\r\nTE: trailers'), 'hi');
});

test('trailers of one reply are not sent with the next one', async ({ plane, target }) => {
  const client = plane.client();
  for (const [trailer, expected] of [
    ['X-A: 1\r\n', 'x-a: 1\r\n'],
    ['', ''],
  ]) {
    target.respond = say(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n${trailer}\r\n`);
    const before = client.pending.length;
    client.send('GET / HTTP/1.1\r\nHost: a.example\r\nTE: trailers\r\n\r\n');
    const end = `2\r\nhi\r\n0\r\n${expected}\r\n`;
    await until(
      () =>
        client.pending.length > before && client.pending.endsWith('\r\n\r\n') && client.pending.includes('hi', before),
      'it',
    );
    assert.ok(client.pending.endsWith(end), client.pending);
  }
  client.destroy();
});

test.run();
