import * as zlib from 'node:zlib';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CodingFault, codingsOf, decode } from '../../../src/actions/aggregate/codings.js';

const TEXT = Buffer.from('{"of":"a service"}'.repeat(50));

async function faultOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    assert.instance(error, CodingFault);
    return (error as Error).message;
  }
  return '';
}

test('every known coding is removed, also several in order', async () => {
  const encoded: readonly (readonly [string, Buffer])[] = [
    ['', TEXT],
    ['identity', TEXT],
    ['gzip', gzipSync(TEXT)],
    ['X-GZIP', gzipSync(TEXT)],
    ['deflate', deflateSync(TEXT)],
    ['deflate', deflateRawSync(TEXT)],
    ['br', brotliCompressSync(TEXT)],
    ['gzip, identity, br', brotliCompressSync(gzipSync(TEXT))],
  ];
  for (const [field, bytes] of encoded)
    assert.equal(Buffer.from(await decode(bytes, codingsOf(field), TEXT.length)), TEXT, field);
  const { zstdCompressSync } = zlib as { zstdCompressSync?: (bytes: Buffer) => Buffer };
  if (zstdCompressSync === undefined) assert.throws(() => codingsOf('zstd'), /not known/);
  else assert.equal(Buffer.from(await decode(zstdCompressSync(TEXT), codingsOf('zstd'), TEXT.length)), TEXT);
});

test('a body that grows beyond the bound, is cut, or is something else is refused', async () => {
  assert.match(await faultOf(decode(gzipSync(TEXT), ['gzip'], TEXT.length - 1)), 'more than');
  assert.match(await faultOf(decode(brotliCompressSync(Buffer.alloc(10_000_000)), ['br'], 1_000)), 'more than');
  assert.match(await faultOf(decode(gzipSync(TEXT).subarray(0, 20), ['gzip'], 10_000)), 'not valid gzip');
  assert.match(await faultOf(decode(TEXT, ['br'], 10_000)), 'not valid br');
});

test('unknown and too many codings are refused before anything is read', () => {
  assert.throws(() => codingsOf('rot13'), /not known: rot13/);
  assert.throws(() => codingsOf('gzip, gzip, gzip, gzip'), /more than 3/);
  assert.equal(codingsOf(undefined), []);
});

test.run();
