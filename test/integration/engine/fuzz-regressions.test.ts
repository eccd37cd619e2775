/** Regression tests for faults that fuzzing found: one test per broken law, named after it. */
import * as assert from 'uvu/assert';
import { type RawReply, say, until } from '../engine-kit.js';
import { type EngineContext, sharedEngineSuite } from '../engine-suite.js';

const test = sharedEngineSuite('fuzzing regressions', { service: 'retries = 0\neject_after = 0' });
const HEAD = 'Host: a.example\r\n';

async function replyTo({ target, plane }: EngineContext, answer: string): Promise<RawReply> {
  target.respond = say(answer);
  return await plane.ask(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
}

test('a close-delimited body is aborted, not complete, if its last bytes and a reset arrive in one read', async ({
  target,
  plane,
}) => {
  target.respond = (_request, socket) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\nhalf of it');
    socket.resetAndDestroy();
  };
  const client = plane.client();
  client.send(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
  await client.end();
  assert.not.match(client.pending, '\r\n0\r\n\r\n');
  client.destroy();
});

test('a 1xx with Connection: close: 502', async (context) => {
  const hint = 'HTTP/1.1 103 Early Hints\r\nConnection: close\r\n\r\n';
  const reply = await replyTo(context, `${hint}HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n`);
  assert.is(reply.status, 502);
});

for (const [name, blank] of [
  ['a tab', '\t'],
  ['a space and a tab', ' \t'],
  ['a tab and a space', '\t '],
] as const) {
  test(`${name} after a framing field value of a reply: 502`, async (context) => {
    const chunked = await replyTo(context, `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked${blank}\r\n\r\n0\r\n\r\n`);
    assert.is(chunked.status, 502);
    const length = await replyTo(context, `HTTP/1.1 200 OK\r\nContent-Length: 2${blank}\r\n\r\nab`);
    assert.is(length.status, 502);
  });

  test(`${name} after a framing field value of a request: 400`, async ({ target, plane }) => {
    const before = target.arrived.length;
    for (const field of [`Transfer-Encoding: chunked${blank}`, `Content-Length: 5${blank}`]) {
      const reply = await plane.ask(`POST / HTTP/1.1\r\n${HEAD}${field}\r\n\r\n0\r\n\r\n`);
      assert.is(reply.status, 400, JSON.stringify(field));
    }
    assert.is(target.arrived.length, before);
  });
}

test('an empty line before a request can arrive in two reads', async ({ target, plane }) => {
  target.respond = say('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  const client = plane.client();
  client.send('\r');
  // The two writes must arrive in separate reads.
  await until(() => plane.connections > 0);
  for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve));
  client.send(`\nGET / HTTP/1.1\r\n${HEAD}\r\n`);
  assert.is((await client.reply()).status, 200);
  client.destroy();
});

test('a bare CR before a request is refused', async ({ plane }) => {
  assert.is((await plane.ask(`\rGET / HTTP/1.1\r\n${HEAD}\r\n`)).status, 400);
});

test('a space after a framing field value is ignored', async ({ target, plane }) => {
  target.respond = say('HTTP/1.1 200 OK\r\nContent-Length: 2 \r\n\r\nab');
  const reply = await plane.ask(`POST / HTTP/1.1\r\n${HEAD}Content-Length: 2 \r\n\r\nab`);
  assert.is(reply.status, 200);
  assert.is(reply.body.toString(), 'ab');
});

test.run();
