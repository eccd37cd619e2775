import { once } from 'node:events';
import { createServer } from 'node:net';
import { type ConnectionOptions, connect } from 'node:tls';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  beginsHandshake,
  type ClientHello,
  MAX_HELLO,
  plainName,
  readClientHello,
} from '../../../../src/proxy/downstream/tls/client-hello.js';

/** What Node's client sends first. */
async function helloOf(options: ConnectionOptions): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const client = connect({ port: address.port, host: '127.0.0.1', ...options });
  client.on('error', () => {});
  const [socket] = await once(server, 'connection');
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  socket.destroy();
  server.close();
  return bytes;
}

const said = (found: number | ClientHello | undefined): ClientHello => {
  if (typeof found !== 'object') throw new Error(`needs ${found} bytes`);
  return found;
};
const NOTHING: ClientHello = { serverName: undefined, challenge: false, ticketName: undefined };

/** Splits the message over records of `size` bytes. */
function inRecords(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const part = message.subarray(at, at + size);
    records.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 0xff]), part);
  }
  return Buffer.concat(records);
}

test('name, challenge and ticket of a real client', async () => {
  const plain = await helloOf({ servername: 'Api.Example' });
  assert.ok(beginsHandshake(plain));
  assert.equal(readClientHello(plain), { ...NOTHING, serverName: 'api.example' });
  assert.equal(readClientHello(await helloOf({ servername: '' })), NOTHING);
  const challenge = await helloOf({ servername: 'a.example', ALPNProtocols: ['h2', 'acme-tls/1'] });
  assert.ok(said(readClientHello(challenge)).challenge);
  const other = await helloOf({ servername: 'a.example', ALPNProtocols: ['h2', 'acme-tls/10'] });
  assert.not(said(readClientHello(other)).challenge);
});

test('it needs more bytes until the last one is there, over any number of records', async () => {
  const whole = await helloOf({ servername: 'a.example' });
  // In 30 and in 3 records: the message of newer releases of OpenSSL is three times as long.
  for (const hello of [
    whole,
    inRecords(whole, Math.ceil(whole.length / 30)),
    inRecords(whole, Math.ceil(whole.length / 3)),
  ]) {
    for (let count = 0; count < hello.length; count++) {
      const needed = readClientHello(hello.subarray(0, count));
      assert.ok(typeof needed === 'number' && needed > count && needed <= hello.length, `${count}`);
    }
    assert.is(said(readClientHello(hello)).serverName, 'a.example');
    // What follows is not part of it.
    assert.is(said(readClientHello(Buffer.concat([hello, hello]))).serverName, 'a.example');
  }
});

test('what is no such message, or too long, says nothing', async () => {
  const hello = await helloOf({ servername: 'a.example' });
  const edited = (at: number, value: number): Buffer => {
    const copy = Buffer.from(hello);
    copy[at] = value;
    return copy;
  };
  assert.equal(readClientHello(edited(0, 23)), NOTHING);
  assert.equal(readClientHello(edited(5, 2)), NOTHING);
  assert.is(readClientHello(edited(6, 1)), undefined);
  assert.equal(readClientHello(Buffer.from([22, 3, 1, 0, 0])), NOTHING);
  assert.equal(readClientHello(Buffer.from([22, 3, 1, 255, 255])), NOTHING);
  assert.is(readClientHello(inRecords(hello, 1)), undefined);
  const long = inRecords(
    Buffer.concat([Buffer.alloc(5), Buffer.from([1, 0, 127, 255]), Buffer.alloc(MAX_HELLO)]),
    16_384,
  );
  assert.is(readClientHello(long), undefined);
});

test('no change of a byte makes it throw', async () => {
  const hello = await helloOf({ servername: 'a.example', ALPNProtocols: ['acme-tls/1'] });
  for (let at = 0; at < hello.length; at++) {
    for (const value of [0, 1, 127, 255]) {
      const copy = Buffer.from(hello);
      copy[at] = value;
      const found = readClientHello(copy);
      assert.ok(typeof found === 'number' ? found <= MAX_HELLO : typeof (found?.challenge ?? false) === 'boolean');
    }
  }
});

test('names are compared in lower case, without a final dot', () => {
  assert.equal(['A.Example.', 'b', '.', ''].map(plainName), ['a.example', 'b', undefined, undefined]);
});

test.run();
