/** idempotency over raw sockets: races, pipelining, odd replies, clients that leave at each step, reloads, and a cache beside it. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type Answer,
  call,
  closeAll,
  closedLater,
  removeFolders,
  SpecFile,
  startGateway,
  until,
} from './control-kit.js';

/** A target that counts the requests of each path, and replies as the path says, byte by byte. */
class RawTarget {
  readonly seen: string[] = [];
  readonly held: Socket[] = [];

  async open(): Promise<string> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
      let text = '';
      socket.on('data', (bytes: Buffer) => {
        text += bytes.toString('latin1');
        for (let end = endOf(text); end > 0; end = endOf(text)) {
          const [method, path] = text.split(' ');
          text = text.slice(end);
          this.seen.push(`${method} ${path}`);
          this.#reply(socket, path ?? '');
        }
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closedLater({
      close: async () => {
        for (const socket of sockets) socket.destroy();
        await new Promise((resolve) => server.close(resolve));
      },
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  count(path: string): number {
    return this.seen.filter((seen) => seen.endsWith(` ${path}`)).length;
  }

  #reply(socket: Socket, path: string): void {
    const at = this.count(path);
    if (path === '/hold') this.held.push(socket);
    else if (path === '/none') socket.resetAndDestroy();
    else if (path === '/early') {
      socket.write('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n');
      socket.write(`HTTP/1.1 201 Created\r\ncontent-length: 7\r\n\r\nearly ${at}`);
    } else if (path === '/chunked')
      socket.write(
        `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x\r\n\r\n6\r\nchunk \r\n1\r\n${at}\r\n0\r\nx: y\r\n\r\n`,
      );
    else if (path === '/cut-chunks') {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nchunk \r\n');
      setImmediate(() => socket.destroy());
    } else if (path === '/cut-head') socket.end('HTTP/1.1 200 OK\r\ncontent-le');
    else if (path === '/garbage') socket.end('what?\r\n\r\n');
    else if (path === '/until-close') socket.end(`HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nclosed ${at}`);
    else if (path === '/reset-after') {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nreset ${at}`);
      setImmediate(() => socket.resetAndDestroy());
    } else if (path === '/large') {
      const body = 'l'.repeat(3_000_000);
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    } else if (path === '/empty') socket.write(`HTTP/1.1 204 No Content\r\nx-at: ${at}\r\n\r\n`);
    else {
      const more = path === '/cached' ? 'cache-control: max-age=60' : `set-cookie: at=${at}`;
      socket.write(`HTTP/1.1 200 OK\r\n${more}\r\ncontent-length: 6\r\n\r\ndone ${at}`);
    }
  }
}

/** Where the first request of a text ends; 0: it is not whole. */
function endOf(text: string): number {
  const head = text.indexOf('\r\n\r\n');
  if (head < 0) return 0;
  const fields = text.slice(0, head).toLowerCase();
  if (fields.includes('transfer-encoding: chunked')) {
    const last = text.indexOf('0\r\n\r\n', head + 4);
    return last < 0 ? 0 : last + 5;
  }
  const end = head + 4 + Number(/\r\ncontent-length: (\d+)/.exec(fields)?.[1] ?? 0);
  return text.length < end ? 0 : end;
}

let target: RawTarget;
let origin: string;
test.before.each(async () => {
  target = new RawTarget();
  origin = await target.open();
});
test.after.each(closeAll);
test.after(removeFolders);

const specOf = ({ once: keys = '', policies = ['once'], more = '' } = {}): string => `spec = 1
[listener.main]
address = "127.0.0.1:0"
[service.shop]
targets = ["${origin}"]
[policy.once]
use = "idempotency"
max_reply = "4MiB"
${keys}
${more}
[[route]]
name = "shop"
match = "/{rest...}"
to = "shop"
policies = ${JSON.stringify(policies)}
`;

const start = (spec = specOf()) => startGateway({ spec: new SpecFile(spec).path, inline: true });

const order = (url: string, path: string, key = '"k"', method = 'POST'): Promise<Answer> =>
  call(`${url}${path}`, {
    method,
    body: method === 'GET' || method === 'HEAD' ? '' : 'one',
    headers: { 'idempotency-key': key },
  });

const codeOf = ({ status, body }: Answer): string =>
  `${status} ${status === 200 ? body : (JSON.parse(body) as { type: string }).type.slice(15)}`;

const text = (path: string, { key = '"k"', body = 'one', fields = '' } = {}): string =>
  `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\nidempotency-key: ${key}\r\n${fields}\r\n${body}`;

async function opened(port: number): Promise<{ socket: Socket; received: () => string }> {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  socket.on('data', (bytes: Buffer) => {
    received += bytes.toString('latin1');
  });
  socket.on('error', () => {});
  await once(socket, 'connect');
  return { socket, received: () => received };
}

test('requests of one key on many connections at once: one is sent, all others get 409 or its reply', async () => {
  const { url } = await start();
  for (let round = 0; round < 5; round++) {
    const path = `/race-${round}`;
    const answers = await Promise.all(Array.from({ length: 20 }, () => order(url, path, `"${path}"`)));
    assert.is(target.count(path), 1);
    for (const answer of answers) assert.ok(answer.status === 409 || answer.body === 'done 1', codeOf(answer));
    assert.ok(answers.some(({ headers }) => headers['idempotency-replayed'] === undefined));
  }
});

test('pipelined requests of one key: the second one gets the reply of the first', async () => {
  const { port } = await start();
  const { socket, received } = await opened(port);
  socket.write(text('/pipe') + text('/pipe') + text('/pipe', { body: 'two' }));
  await until(() => received().includes('key-reused'), 'three replies');
  assert.equal(received().match(/HTTP\/1.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 200', 'HTTP/1.1 422']);
  assert.is(received().match(/done 1/g)?.length, 2);
  assert.is(target.count('/pipe'), 1);
  socket.destroy();
});

test('whole replies of each form are repeated as a whole', async () => {
  const { url } = await start();
  for (const [path, body] of [
    ['/early', 'early 1'],
    ['/chunked', 'chunk 1'],
    ['/until-close', 'closed 1'],
    ['/reset-after', 'reset 1'],
    ['/large', 'l'.repeat(3_000_000)],
    ['/empty', ''],
  ] as const) {
    const first = await order(url, path, `"${path}"`);
    const again = await order(url, path, `"${path}"`);
    assert.ok(first.body === body && again.body === body, path);
    assert.is(again.status, first.status, path);
    assert.is(again.headers['idempotency-replayed'], 'true', path);
    assert.is(target.count(path), 1, path);
    assert.is(again.headers['trailer'], undefined);
  }
});

test('replies that are cut: what was done is known by its status, and is unknown without one', async () => {
  const { url } = await start();
  for (const [path, code] of [
    ['/cut-chunks', '409 idempotency/reply-not-kept'],
    ['/cut-head', '409 idempotency/unknown'],
    ['/garbage', '409 idempotency/unknown'],
    ['/none', '409 idempotency/unknown'],
  ] as const) {
    await order(url, path, `"${path}"`).catch(() => {});
    let again: Answer | undefined;
    await until(async () => {
      again = await order(url, path, `"${path}"`);
      return !codeOf(again).endsWith('in-progress');
    }, path);
    assert.is(codeOf(again!), code, path);
    assert.is(target.count(path), 1, path);
  }
});

test('a client that leaves: within the head or body nothing is claimed, within the reply it is kept', async () => {
  const { url, port } = await start();
  const whole = text('/left');
  for (const part of [10, whole.indexOf('\r\n\r\n') + 2, whole.length - 1]) {
    const { socket } = await opened(port);
    socket.write(whole.slice(0, part));
    socket.end();
    await once(socket, 'close');
  }
  assert.is(target.count('/left'), 0);
  assert.is((await order(url, '/left')).body, 'done 1');
  const { socket, received } = await opened(port);
  socket.once('data', () => socket.pause());
  // The host is part of what a key stands for.
  socket.write(text('/large', { key: 'large' }).replace('host: a', `host: 127.0.0.1:${port}`));
  await until(() => received().length > 0, 'a part of the reply');
  socket.resetAndDestroy();
  let again: Answer | undefined;
  await until(async () => {
    again = await order(url, '/large', 'large');
    return again.status === 200;
  }, 'the reply');
  assert.is(again?.body.length, 3_000_000);
  assert.is(target.count('/large'), 1);
});

test('a client that reset its connection before gw accepted it has no address, and nothing of it is sent', async () => {
  const { port, url } = await start(specOf({ policies: [] }));
  const ended = new Int32Array(new SharedArrayBuffer(4));
  const script = `
    const { workerData: { port, text, ended } } = require('node:worker_threads');
    const socket = require('node:net').connect(port, '127.0.0.1', () => socket.write(text, () => socket.resetAndDestroy()));
    socket.on('close', () => {
      Atomics.store(ended, 0, 1);
      Atomics.notify(ended, 0);
    });`;
  const client = new Worker(script, { eval: true, workerData: { port, text: text('/reset-early'), ended } });
  await once(client, 'online');
  // This thread, which accepts connections, stands still meanwhile.
  assert.is.not(Atomics.wait(ended, 0, 0, 10_000), 'timed-out');
  await order(url, '/later');
  assert.equal(target.seen, ['POST /later']);
  await client.terminate();
});

test('keys of each form, methods without keys, and keys that are none', async () => {
  const { url, port } = await start();
  for (const key of ['k', '"k"', ' k ', '"k";a=1']) assert.is((await order(url, '/form', key)).body, 'done 1', key);
  for (const key of [
    '"',
    '""',
    'k, k',
    "'k'",
    'é',
    '"k',
    '"a\\b"',
    `"${'k'.repeat(256)}"`,
    'k'.repeat(7000),
    ':azE=:;',
    '()',
    '?1 ',
  ])
    assert.is((await order(url, '/form', key)).status, 400, key.slice(0, 20));
  assert.is(target.count('/form'), 1);
  const { socket, received } = await opened(port);
  socket.write(text('/form', { fields: 'idempotency-key: "k"\r\n' }));
  await until(() => received().includes('\r\n\r\n'), 'the reply');
  assert.match(received(), /^HTTP\/1.1 400/);
  socket.destroy();
  for (const method of ['GET', 'HEAD']) {
    const first = await order(url, `/safe-${method}`, '"k"', method);
    assert.equal([first.status, first.headers['idempotency-replayed']], [200, undefined]);
    await order(url, `/safe-${method}`, '"k"', method);
    assert.is(target.count(`/safe-${method}`), 2);
  }
});

test('a reload, or the end of the gateway, while a request is in progress', async () => {
  const spec = new SpecFile(specOf());
  const { url, gateway } = await startGateway({ spec: spec.path, inline: true });
  const first = order(url, '/hold');
  await until(() => target.held.length === 1, 'the request');
  spec.write(specOf({ once: 'required = true' }));
  assert.is((await gateway.reload())?.outcome, 'live');
  assert.is(codeOf(await order(url, '/hold')), '409 idempotency/in-progress');
  target.held[0]!.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nheld');
  assert.is((await first).body, 'held');
  const again = await order(url, '/hold');
  assert.equal([again.body, again.headers['idempotency-replayed']], ['held', 'true']);
  const last = order(url, '/hold', '"last"');
  await until(() => target.held.length === 2, 'the request');
  const closed = gateway.drain(10_000);
  target.held[1]!.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlast');
  assert.is((await last).body, 'last');
  await closed;
});

for (const policies of [
  ['cached', 'once'],
  ['once', 'cached'],
])
  test(`idempotency and cache (${policies.join(', ')}): an order drops what is cached, once, and no cache answers for a key`, async () => {
    const { url } = await start(specOf({ policies, more: '[policy.cached]\nuse = "cache"' }));
    const get = async (): Promise<string> => (await call(`${url}/cached`)).body;
    assert.is(await get(), await get());
    const before = target.count('/cached');
    const first = await order(url, '/cached');
    assert.is(target.count('/cached'), before + 1);
    assert.is((await order(url, '/cached')).body, first.body);
    assert.is(target.count('/cached'), before + 1, 'the reply is that of the first request');
    assert.is(await get(), `done ${before + 2}`, 'what was cached is dropped');
    assert.is(await get(), `done ${before + 2}`);
    const other = await order(url, '/cached', '"other"');
    assert.is(other.body, `done ${before + 3}`);
  });

test.run();
