/** The count must be that of nghttp2, however the bytes are cut. */
import { once } from 'node:events';
import { connect } from 'node:http2';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FieldCounts } from '../../../src/proxy/http2/field-counts.js';
import { FrameScanner } from '../../../src/proxy/http2/frame-scanner.js';
import { hpack, integer } from '../../support/http2/hpack.js';
import { END_HEADERS, frame, PADDED, PREFACE, PRIORITY, setting, Type } from '../../support/http2/raw-client.js';
import { seededBelow } from '../../support/random.js';
import { until } from '../../support/until.js';

const nothing = { onFrame: (): void => {} };

/** Counts of the blocks in `bytes`, which are scanned in parts. */
function counted(bytes: Buffer, parts: (left: number) => number, skip = 0): FieldCounts {
  const counts = new FieldCounts(100);
  const scanner = new FrameScanner(nothing, skip, counts);
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + parts(bytes.length - at));
    scanner.scan(bytes, at, end);
    at = end;
  }
  return counts;
}

test('requests of nghttp2: strings with Huffman codes, indexed names, and a table that fills', async () => {
  const received: Buffer[] = [];
  const server = createServer((socket) => {
    socket.write(frame(Type.Settings, 0, 0, setting(1, 4096)));
    socket.on('data', (chunk: Buffer) => received.push(chunk)).on('error', () => undefined);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  session.on('error', () => undefined);
  const below = seededBelow(3);
  const lengths: number[] = [];
  for (let request = 0; request < 60; request++) {
    const fields: Record<string, string> = { ':path': `/${'p'.repeat(below(200))}` };
    const names = below(20);
    for (let at = 0; at < names; at++) fields[`x-${below(30)}`] = 'v~'.repeat(below(10) === 0 ? below(2000) : below(9));
    const stream = session.request(fields);
    stream.on('error', () => undefined);
    lengths.push(Object.keys(fields).length + 3);
  }
  const all = (): boolean => {
    let requests = 0;
    const watcher = { onFrame: (type: number): void => void (type === Type.Headers && requests++) };
    new FrameScanner(watcher, PREFACE.length).scan(Buffer.concat(received), 0, Buffer.concat(received).length);
    return requests === lengths.length;
  };
  await until(all, 'the requests');
  session.destroy();
  server.close();
  await once(server, 'close');
  const bytes = Buffer.concat(received);
  for (const parts of [() => bytes.length, () => 1, () => 1 + below(50)]) {
    const counts = counted(bytes, parts, PREFACE.length);
    assert.equal(
      lengths.map((_, at) => counts.next(1 + at * 2)),
      lengths,
    );
  }
});

test('padding, priority, CONTINUATION, changes of the table, long indices', () => {
  const block = Buffer.concat([
    Buffer.of(0x3f, 0xe1, 0x1f),
    hpack([
      ['a', 'b'],
      ['c', 'd'.repeat(300)],
    ]),
    Buffer.of(0x82),
    integer(200, 7, 0x80),
    Buffer.concat([integer(70, 6, 0x40), Buffer.of(1, 0x61)]),
    Buffer.concat([integer(20, 4, 0), Buffer.of(0)]),
    Buffer.of(0x00, 0, 0),
  ]);
  const padded = Buffer.concat([Buffer.of(9), Buffer.alloc(5), block.subarray(0, 7), Buffer.alloc(9, 0x82)]);
  const bytes = Buffer.concat([
    frame(Type.Headers, PADDED | PRIORITY, 1, padded),
    frame(Type.Continuation, 0, 1, block.subarray(7, 150)),
    frame(Type.Continuation, 0, 1),
    frame(Type.Continuation, END_HEADERS, 1, block.subarray(150)),
    frame(Type.Headers, END_HEADERS, 1),
    frame(Type.Headers, END_HEADERS | PADDED, 3, Buffer.of(0)),
    frame(Type.Headers, END_HEADERS | PADDED, 5, Buffer.of(200, 0x82)),
  ]);
  for (const size of [1, 2, 3, 1000]) {
    const counts = counted(bytes, () => size);
    assert.equal([counts.next(1), counts.next(1), counts.next(1)], [7, 0, undefined]);
    assert.equal([counts.next(3), counts.next(5)], [0, 0]);
  }
});

test('what is not asked for is bounded, and the newest stays', () => {
  const bytes = Buffer.concat(
    Array.from({ length: 5000 }, (_, at) => frame(Type.Headers, END_HEADERS, 1 + at * 2, Buffer.of(0x82))),
  );
  const counts = counted(bytes, () => bytes.length);
  assert.equal([counts.next(1), counts.next(9999)], [undefined, 1]);
  const many = counted(Buffer.concat(Array(5000).fill(bytes.subarray(0, 10))), () => 10);
  let blocks = 0;
  while (many.next(1) !== undefined) blocks++;
  assert.ok(blocks < 100, String(blocks));
});

test.run();
