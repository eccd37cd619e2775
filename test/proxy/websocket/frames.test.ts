import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { closeFrame } from '../../../src/proxy/websocket/close.js';
import { type Extensions, type FrameBounds, FrameReader } from '../../../src/proxy/websocket/frames.js';
import { frame } from '../../support/frames.js';

const NONE: FrameBounds = { maxMessage: 0 };
const readerOf = (bounds = NONE, extensions: Extensions = 'none', masked = true): FrameReader =>
  new FrameReader(masked, bounds, extensions);

const LONG = Buffer.alloc(70_000, 'x');
const ALL = Buffer.concat([
  frame(1, 'hello'),
  frame(2, LONG),
  frame(1, 'a', { final: false }),
  frame(9, 'ping'),
  frame(0, '', { final: false }),
  frame(0, Buffer.alloc(300)),
  frame(10, ''),
  closeFrame(1000, true),
]);

test('valid frames pass unchanged, cut at every place', () => {
  for (const step of [1, 2, 3, 7, 125, 126, 4096, ALL.length]) {
    const reader = readerOf();
    const passed: Buffer[] = [];
    for (let at = 0; at < ALL.length; at += step) passed.push(Buffer.from(reader.read(ALL.subarray(at, at + step), 0)));
    assert.ok(Buffer.concat(passed).equals(ALL), `in parts of ${step}`);
    assert.is(reader.fault, 0);
    assert.equal([reader.messages, reader.closed, reader.closePassed, reader.closeCode], [3, true, true, 1000]);
  }
});

test('payload passes before its frame ends; only an incomplete header is held', () => {
  const reader = readerOf();
  const bytes = frame(2, LONG);
  assert.is(reader.read(bytes.subarray(0, 13), 0).length, 0);
  assert.is(reader.read(bytes.subarray(13, 15), 0).length, 15);
  assert.is(reader.read(bytes.subarray(15, 16), 0).length, 1);
});

for (const [what, bytes] of [
  ['no mask', frame(1, 'a', { masked: false })],
  ['a reserved opcode', frame(5, 'a')],
  ['a reserved control opcode', frame(11, 'a')],
  ['RSV1', frame(1, 'a', { rsv: 4 })],
  ['RSV3', frame(1, 'a', { rsv: 1 })],
  ['a fragmented ping', frame(9, 'a', { final: false })],
  ['a long ping', frame(9, Buffer.alloc(126))],
  ['a continuation of nothing', frame(0, 'a')],
  ['a message within a message', Buffer.concat([frame(1, 'a', { final: false }), frame(1, 'b')])],
  ['a length not in its shortest form (16 bits)', Buffer.from('81fe0005000000006162636465', 'hex')],
  ['a length not in its shortest form (64 bits)', Buffer.from('81ff000000000000fff000000000', 'hex')],
  ['a length with its highest bit', Buffer.from('82ff800000000000000000000000', 'hex')],
] as const)
  test(`${what} is a protocol error, and its frame does not pass`, () => {
    const reader = readerOf();
    const before = frame(2, 'before');
    const passed = reader.read(Buffer.concat([before, bytes, frame(1, 'after')]), 0);
    assert.is(reader.fault, 1002);
    assert.ok(reader.stopped);
    assert.is.not(reader.cause, '');
    assert.ok(passed.length < before.length + bytes.length);
    assert.is(reader.read(frame(1, 'more'), 0).length, 0);
  });

test('a target must not mask', () => {
  const reader = readerOf(NONE, 'none', false);
  assert.is(reader.read(frame(1, 'ok', { masked: false }), 0).length, 4);
  reader.read(frame(1, 'no'), 0);
  assert.is(reader.fault, 1002);
});

test('extensions may use reserved bits: permessage-deflate RSV1 of messages, others everything', () => {
  const deflate = readerOf(NONE, 'deflate');
  deflate.read(Buffer.concat([frame(1, 'a', { rsv: 4, final: false }), frame(0, 'b'), frame(2, 'c')]), 0);
  assert.is(deflate.fault, 0);
  deflate.read(frame(9, '', { rsv: 4 }), 0);
  assert.is(deflate.fault, 1002);
  const continued = readerOf(NONE, 'deflate');
  continued.read(Buffer.concat([frame(1, 'a', { final: false }), frame(0, 'b', { rsv: 4 })]), 0);
  assert.is(continued.fault, 1002);
  const others = readerOf(NONE, 'others');
  others.read(Buffer.concat([frame(1, 'a', { rsv: 7 }), frame(3, 'b', { rsv: 2 })]), 0);
  assert.is(others.fault, 0);
});

test('max_message bounds the sum of fragments: 1009 before the frame that exceeds it', () => {
  const reader = readerOf({ maxMessage: 10 });
  const fine = Buffer.concat([frame(1, '0123456789'), frame(1, '01234', { final: false }), frame(0, '56789')]);
  assert.is(reader.read(fine, 0).length, fine.length);
  const begin = frame(1, '01234', { final: false });
  assert.is(reader.read(Buffer.concat([begin, frame(0, '567890')]), 0).length, begin.length);
  assert.is(reader.fault, 1009);
  assert.is(reader.read(closeFrame(1009, true), 0).length, 0);
  assert.equal([reader.closed, reader.closePassed], [true, false], 'the answer is still found');
});

test('a rate counts messages, control frames and empty fragments, and refills', () => {
  const reader = readerOf({ maxMessage: 0, rate: { capacity: 4, periodMs: 1000 } });
  const four = [
    frame(1, 'a', { final: false }),
    frame(0, 'b', { final: false }),
    frame(0, ''),
    frame(9, ''),
    frame(2, 'c'),
  ];
  reader.read(Buffer.concat(four), 0);
  assert.is(reader.fault, 0);
  reader.read(frame(1, 'd'), 250);
  assert.is(reader.fault, 0);
  reader.read(frame(1, 'e'), 499);
  assert.is(reader.fault, 1008);
});

test('stop() lets the current frame end, and finds the Close behind it without passing it', () => {
  const reader = readerOf();
  const bytes = frame(2, LONG);
  reader.read(bytes.subarray(0, 20), 0);
  reader.stop();
  assert.not.ok(reader.stopped);
  const passed = reader.read(Buffer.concat([bytes.subarray(20), frame(1, 'no')]), 0);
  assert.is(passed.length, bytes.length - 20);
  assert.ok(reader.stopped);
  assert.is(reader.read(closeFrame(1001, true), 0).length, 0);
  assert.equal([reader.closed, reader.closePassed, reader.closeCode], [true, false, 1001]);
});

test('stop() within a header drops what is held; rest() returns it otherwise', () => {
  const reader = readerOf();
  reader.read(frame(1, 'abc').subarray(0, 3), 0);
  reader.stop();
  assert.ok(reader.stopped);
  assert.is(reader.rest().length, 0);
  const other = readerOf();
  other.read(frame(1, 'abc').subarray(0, 3), 0);
  assert.is(other.rest().length, 3);
});

test('nothing passes after a Close; one without a code counts as 1005', () => {
  const reader = readerOf();
  const close = frame(8, '');
  assert.is(reader.read(Buffer.concat([close, frame(1, 'late')]), 0).length, close.length);
  assert.is(reader.closeCode, 1005);
});

test.run();
