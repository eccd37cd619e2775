/** Bytes that wait to be written are in reusable blocks, which must not be reused before the write has ended. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { blocks } from '../../../src/proxy/load/blocks.js';
import { writeBody } from '../../../src/proxy/load/write-body.js';
import { until } from '../../integration/engine-kit.js';
import { seeded } from '../../support/random.js';

const test = suite('write-body');
const cert = readFileSync('test/integration/fixtures/tls-cert.pem');
const key = readFileSync('test/integration/fixtures/tls-key.pem');

interface Pair {
  readonly writer: Socket;
  readonly reader: Socket;
}

async function pairs(secure: boolean, count: number): Promise<{ made: Pair[]; close: () => void }> {
  const server: Server = secure ? createTlsServer({ cert, key }) : createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const made: Pair[] = [];
  for (let at = 0; at < count; at++) {
    const accepted = once(server, secure ? 'secureConnection' : 'connection');
    const reader = secure ? connectTls({ port, ca: cert, rejectUnauthorized: false }) : connect(port, '127.0.0.1');
    const [writer] = (await accepted) as [Socket];
    for (const socket of [writer, reader]) socket.on('error', () => {});
    made.push({ writer, reader: reader.pause() });
  }
  return { made, close: () => server.close() };
}

for (const secure of [false, true]) {
  test(`no reader sees bytes of another, even if some disconnect (${secure ? 'TLS' : 'TCP'})`, async () => {
    const random = seeded(secure ? 7 : 8);
    const { made, close } = await pairs(secure, 12);
    // The buffer is reused for each write, like the read buffer of a thread.
    const lent = Buffer.alloc(64 * 1024);
    const streams = made.map((pair, at) => ({ ...pair, at, wrote: createHash('sha256'), left: 60 }));
    for (let turn = 0; streams.some(({ left }) => left > 0); turn++) {
      for (const stream of streams) {
        if (stream.left === 0 || stream.writer.writableLength > 512 * 1024) continue;
        stream.left--;
        const length = 1 + Math.floor(random() * lent.length);
        lent.fill(stream.at * 16 + (stream.left % 16), 0, length);
        writeBody(stream.writer, `${length}\n`, lent, 0, length, '\n');
        stream.wrote.update(`${length}\n`).update(lent.subarray(0, length)).update('\n');
        lent.fill(0xff);
        // Half of them disconnect with bytes in flight.
        if (stream.at % 2 === 1 && stream.left === 30) {
          stream.writer.destroy();
          stream.left = 0;
        }
      }
      if (turn % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
      if (turn === 20) {
        for (const stream of streams.filter(({ at }) => at % 2 === 0)) {
          const read = createHash('sha256');
          stream.reader.on('data', (chunk: Buffer) => read.update(chunk));
          stream.reader.on('end', () =>
            assert.is(read.digest('hex'), stream.wrote.copy().digest('hex'), String(stream.at)),
          );
        }
      }
    }
    const survivors = streams.filter(({ at }) => at % 2 === 0);
    let ended = 0;
    for (const { reader, writer } of survivors) {
      reader.on('end', () => ended++).resume();
      writer.end();
    }
    await until(() => ended === survivors.length, 'all that was written to be read');
    for (const { reader, writer } of made) {
      reader.destroy();
      writer.destroy();
    }
    close();
  });
}

test('unsent bytes of a slow reader take at most about twice their size', async () => {
  const { made, close } = await pairs(false, 1);
  const { writer, reader } = made[0]!;
  const piece = Buffer.alloc(9 * 1024, 'x');
  while (writer.writableLength === 0) writeBody(writer, '', piece, 0, piece.length, '');
  const held = (): number => process.memoryUsage().arrayBuffers - blocks.spare;
  const before = held();
  const owed = writer.writableLength;
  for (let at = 0; at < 500; at++) writeBody(writer, '', piece, 0, piece.length, '');
  const grown = held() - before;
  assert.ok(grown < 2.1 * (writer.writableLength - owed), `${grown} for ${writer.writableLength - owed}`);
  reader.destroy();
  writer.destroy();
  close();
});

test.run();
