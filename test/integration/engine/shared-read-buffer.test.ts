/** All connections of a thread share one read buffer: unconsumed bytes of one must survive the reads of the others. */
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import * as assert from 'uvu/assert';
import { seeded } from '../../support/random.js';
import { type Arrived, ok, until } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const test = engineSuite('shared read buffer');

const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

test('heads that arrive in pieces on many connections are not mixed up', async ({ target, plane }) => {
  target.respond = (request, socket) => ok(request.url)(request, socket);
  const random = seeded(7);
  const clients = Array.from({ length: 12 }, (_, at) => {
    const text = `GET /path-of-${at}-${'x'.repeat(at * 50)} HTTP/1.1\r\nHost: a.example\r\nX-At: ${at}\r\n\r\n`;
    return { client: plane.client(), at, text, sent: 0 };
  });
  while (clients.some(({ text, sent }) => sent < text.length)) {
    for (const one of clients) {
      const next = one.sent + 1 + Math.floor(random() * 40);
      one.client.send(one.text.slice(one.sent, next));
      one.sent = next;
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  for (const { client, at } of clients) {
    const reply = await client.reply();
    assert.is(reply.body.toString(), `/path-of-${at}-${'x'.repeat(at * 50)}`);
    client.destroy();
  }
  assert.is(target.arrived.length, clients.length);
});

test('request bodies that wait for a slow target stay unchanged', async ({ target, plane }) => {
  const done = new Map<string, Arrived>();
  target.respond = (request, socket) => {
    socket.pause();
    setTimeout(() => socket.resume(), 100);
    const whole = setInterval(() => {
      if (request.rest.length < Number(request.header('content-length'))) return;
      clearInterval(whole);
      done.set(request.url, request);
      ok('taken')(request, socket);
    }, 10);
  };
  const random = seeded(11);
  const bodies = Array.from({ length: 4 }, () => Buffer.from(Array.from({ length: 700_000 }, () => random() * 256)));
  const clients = bodies.map((body, at) => {
    const client = plane.client();
    client.send(`POST /${at} HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${body.length}\r\n\r\n`);
    client.send(body);
    return client;
  });
  for (const client of clients) assert.is((await client.reply()).body.toString(), 'taken');
  for (const [at, body] of bodies.entries()) assert.is(sha(done.get(`/${at}`)!.rest), sha(body), `body ${at}`);
  for (const client of clients) client.destroy();
});

test('pipelined requests stay intact while other connections read', async ({ target, plane }) => {
  const held: (() => void)[] = [];
  target.respond = (request, socket) => {
    if (request.url === '/first') held.push(() => ok('first')(request, socket));
    else ok(request.url)(request, socket);
  };
  const pipelining = plane.client();
  const ask = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a.example\r\n\r\n`;
  pipelining.send(ask('/first') + ask('/second') + ask('/third'));
  await until(() => held.length === 1);
  for (let i = 0; i < 5; i++) assert.is((await plane.ask(ask(`/other-${i}`))).body.toString(), `/other-${i}`);
  held[0]!();
  for (const body of ['first', '/second', '/third']) assert.is((await pipelining.reply()).body.toString(), body);
  pipelining.destroy();
});

test('bytes that directly follow an upgrade request reach the tunnel completely', async ({ target, plane }) => {
  target.respond = (request, socket) => {
    if (request.header('upgrade') === undefined) {
      ok('plain')(request, socket);
      return;
    }
    socket.on('data', (chunk: Buffer) => socket.write(`got ${chunk.toString('latin1')}`));
    const head = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n';
    setTimeout(() => socket.write(head), 50);
  };
  const socket = connect({ port: plane.port, host: '127.0.0.1' });
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  socket.write('GET /up HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nahead');
  for (let i = 0; i < 3; i++) await plane.ask('GET /plain HTTP/1.1\r\nHost: a.example\r\n\r\n');
  await until(() => /^HTTP\/1\.1 101 /.test(text) && text.endsWith('got ahead'));
  socket.destroy();
});

test.run();
