/** Replies precomputed by the compiler: the bytes that a client reads, apart from date and id. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Plane } from '../engine-kit.js';

const SPEC = `
spec = 1
[listener.main]
address = "127.0.0.1:0"
[[route]]
match = "GET /text"
reply = { body = "caf\u00e9", headers = { X-A = "1" } }
[[route]]
match = "/empty"
reply = { status = 204 }
[[route]]
match = "/cached"
reply = { status = 304, headers = { etag = '"a"', date = "Sat, 01 Jan 2000 00:00:00 GMT" } }
[[route]]
match = "/id"
reply = { body = "own", headers = { x-request-id = "mine" } }
[[route]]
match = "/edited"
reply = { body = "caf\u00e9", headers = { X-A = "1" } }
policies = [{ use = "headers", reply.set = { x-b = "2" } }]
`;

/** Sends one request on a new connection and reads until close; masks what differs between runs. */
async function ask(plane: Plane, text: string): Promise<string> {
  const client = plane.client();
  client.send(text);
  await client.end();
  const received = client.pending;
  client.destroy();
  return received
    .replace(/^date: \w{3}, \d\d \w{3} (?!2000)\d{4} \d\d:\d\d:\d\d GMT\r$/m, 'date: NOW\r')
    .replace(/^x-request-id: [\w-]{6,}\r$/m, 'x-request-id: ID\r');
}

const close = 'Host: a.test\r\nConnection: close\r\n\r\n';
const utf8 = (text: string): string => Buffer.from(text).toString('latin1');

test('a constant reply consists of status line, its fields, the fields of gw, and the body', async () => {
  const plane = await Plane.start(SPEC);
  const head =
    'HTTP/1.1 200 OK\r\nx-a: 1\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 5\r\n' +
    'date: NOW\r\nx-request-id: ID\r\nconnection: close\r\n\r\n';
  assert.is(await ask(plane, `GET /text HTTP/1.1\r\n${close}`), head + utf8('caf\u00e9'));
  assert.is(await ask(plane, `HEAD /text HTTP/1.1\r\n${close}`), head, 'HEAD has the head alone');
  assert.is(
    await ask(plane, `GET /empty HTTP/1.1\r\n${close}`),
    'HTTP/1.1 204 No Content\r\ndate: NOW\r\nx-request-id: ID\r\nconnection: close\r\n\r\n',
  );
  assert.is(
    await ask(plane, `GET /cached HTTP/1.1\r\n${close}`),
    'HTTP/1.1 304 Not Modified\r\netag: "a"\r\ndate: Sat, 01 Jan 2000 00:00:00 GMT\r\nx-request-id: ID\r\nconnection: close\r\n\r\n',
    'the date that the spec gives is the only one',
  );
  await plane.close();
});

test('the connection is kept as the client requests, and all pipelined requests are answered', async () => {
  const plane = await Plane.start(SPEC);
  const client = plane.client();
  client.send('GET /text HTTP/1.1\r\nHost: a.test\r\n\r\n'.repeat(3));
  const ids = new Set<string | undefined>();
  for (let i = 0; i < 3; i++) {
    const reply = await client.reply();
    assert.is(reply.status, 200);
    assert.is(reply.body.toString(), 'caf\u00e9');
    assert.is(reply.header('connection'), undefined);
    ids.add(reply.header('x-request-id'));
  }
  assert.is(ids.size, 3, 'each has an id of its own');
  client.send('GET /text HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
  assert.is((await client.reply()).header('connection'), 'keep-alive');
  client.send('GET /text HTTP/1.0\r\n\r\n');
  assert.is((await client.reply()).header('connection'), 'close');
  client.destroy();
  await plane.close();
});

test('a reply edited by a policy is otherwise unchanged; a configured x-request-id is not sent', async () => {
  const plane = await Plane.start(SPEC);
  const edited = await plane.ask('GET /edited HTTP/1.1\r\nHost: a.test\r\n\r\n');
  assert.is(edited.header('content-type'), 'text/plain; charset=utf-8');
  assert.is(edited.header('x-a'), '1');
  assert.is(edited.header('x-b'), '2');
  assert.is(edited.body.toString(), 'caf\u00e9');
  const plain = await plane.ask('GET /text HTTP/1.1\r\nHost: a.test\r\n\r\n');
  assert.is(plain.header('x-b'), undefined);
  const text = await ask(plane, `GET /id HTTP/1.1\r\n${close}`);
  assert.is(text.match(/x-request-id: ID/g)?.length, 1);
  assert.not.match(text, 'mine');
  await plane.close();
});

test.run();
