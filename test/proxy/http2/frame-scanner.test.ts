import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FrameScanner } from '../../../src/proxy/http2/frame-scanner.js';
import { frame, PREFACE } from '../../support/http2/raw-client.js';

const BYTES = Buffer.concat([
  PREFACE,
  frame(4, 0, 0, Buffer.alloc(6)),
  frame(0, 1, 0x7fff_ffff, Buffer.alloc(70_000)),
  frame(6, 1, 0),
]);
const EXPECTED = [
  [4, 0, 0, 6],
  [0, 1, 0x7fff_ffff, 70_000],
  [6, 1, 0, 0],
];

for (const step of [1, 7, 10, 4096, BYTES.length])
  test(`finds all frame headers in reads of ${step} bytes`, () => {
    const found: number[][] = [];
    const scanner = new FrameScanner(
      { onFrame: (type, flags, stream, length) => found.push([type, flags, stream, length]) },
      PREFACE.length,
    );
    for (let at = 0; at < BYTES.length; at += step) scanner.scan(BYTES, at, Math.min(at + step, BYTES.length));
    assert.equal(found, EXPECTED);
    assert.is(scanner.within, false);
    scanner.scan(BYTES, 0, 3);
    assert.is(scanner.within, true);
  });

test.run();
