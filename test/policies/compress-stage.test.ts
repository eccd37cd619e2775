import zlib from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { StageOut } from '../../src/contract/index.js';
import { CompressStage, codecOf, type StageOwner } from '../../src/policies/compress/stage.js';
import { HeaderMap } from '../../src/policies/run-kit.js';
import { until } from '../support/until.js';

const DECODERS: { readonly [coding: string]: (bytes: Uint8Array) => Buffer } = {
  gzip: (bytes) => zlib.gunzipSync(bytes),
  deflate: (bytes) => zlib.inflateSync(bytes),
  br: (bytes) => zlib.brotliDecompressSync(bytes),
  zstd: (bytes) => (zlib as unknown as { zstdDecompressSync(given: Uint8Array): Buffer }).zstdDecompressSync(bytes),
};

/** A receiver that is full after `room` writes until it is drained. */
class Sink implements StageOut {
  readonly chunks: Buffer[] = [];
  ended: unknown;
  failed: string | undefined;
  resumed = 0;
  done = false;
  #writable: (() => void) | undefined;

  constructor(public room = Number.POSITIVE_INFINITY) {}

  write(bytes: Uint8Array): boolean {
    assert.not.ok(this.done, 'write after the end');
    this.chunks.push(Buffer.from(bytes));
    return --this.room > 0;
  }
  end(trailers?: unknown): void {
    assert.not.ok(this.done, 'second end');
    this.done = true;
    this.ended = trailers;
  }
  fail(cause: string): void {
    this.done = true;
    this.failed = cause;
  }
  refuse(cause: string): void {
    this.fail(cause);
  }
  onWritable(callback: () => void): void {
    this.#writable = callback;
  }
  resume(): void {
    this.resumed++;
  }
  drain(room: number): void {
    this.room = room;
    const callback = this.#writable;
    this.#writable = undefined;
    callback?.();
  }
  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

class Owner implements StageOwner {
  released: (bytesIn: number, bytesOut: number) => void;
  timers: (() => void)[] = [];
  readonly totals: [number, number][] = [];
  constructor() {
    this.released = (bytesIn, bytesOut) => this.totals.push([bytesIn, bytesOut]);
  }
  after(_ms: number, work: () => void): () => void {
    this.timers.push(work);
    return () => {
      this.timers = this.timers.filter((timer) => timer !== work);
    };
  }
}

const TEXT = Buffer.from(Array.from({ length: 5000 }, (_, index) => `line ${index} of the reply\n`).join(''));

/** Writes like a source: stops when told to, goes on when resumed. */
async function pour(stage: CompressStage, sink: Sink, parts: readonly Uint8Array[]): Promise<void> {
  for (const part of parts) {
    const before = sink.resumed;
    const copy = Uint8Array.from(part);
    const accepted = stage.write(copy);
    // The bytes belong to the caller again.
    copy.fill(0);
    if (!accepted) await until(() => sink.resumed > before || sink.done, 'a resume');
  }
}

const parts = (bytes: Buffer, size: number): Uint8Array[] =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );

for (const coding of ['gzip', 'deflate', 'br', 'zstd'] as const) {
  const codec = codecOf(coding, 4);
  if (codec === undefined) continue;

  test(`${coding}: a body in parts decodes to the same bytes; trailers pass`, async () => {
    const [sink, owner] = [new Sink(), new Owner()];
    const stage = new CompressStage(codec, false, sink, owner);
    await pour(stage, sink, parts(TEXT, 7000));
    const trailers = new HeaderMap([['x-sum', '1']]);
    stage.end(trailers);
    await until(() => sink.done, 'the end');
    assert.equal(DECODERS[coding]!(sink.bytes), TEXT);
    assert.is(sink.ended, trailers);
    assert.equal(owner.totals, [[TEXT.length, sink.bytes.length]]);
    assert.ok(sink.bytes.length < TEXT.length / 2);
    assert.equal(owner.timers, []);
  });

  test(`${coding}: each event leaves before the next one is written`, async () => {
    const [sink, owner] = [new Sink(), new Owner()];
    const stage = new CompressStage(codec, true, sink, owner);
    let sent = '';
    for (let event = 0; event < 5; event++) {
      const text = `data: ${event}\n\n`;
      sent += text;
      const before = sink.bytes.length;
      await pour(stage, sink, [Buffer.from(text)]);
      await until(() => sink.bytes.length > before && decodesTo(coding, sink.bytes, sent), 'the event');
    }
    stage.abort();
  });

  test(`${coding}: a slow reader stops the source, and memory stays bounded`, async () => {
    const [sink, owner] = [new Sink(1), new Owner()];
    const stage = new CompressStage(codec, false, sink, owner);
    const noise = Buffer.from(
      Array.from({ length: 1 << 20 }, (_, index) => (index * 7919 + (index >> 3) * 104729) & 255),
    );
    let written = 0;
    let accepting = true;
    const resumed = (): boolean => sink.resumed > 0;
    for (const part of parts(noise, 65536)) {
      if (!accepting) {
        const waited = sink.resumed;
        await Promise.race([until(() => sink.resumed > waited, 'a resume', 300).catch(() => undefined)]);
        if (sink.resumed === waited) break;
      }
      accepting = stage.write(part);
      written += part.length;
    }
    const held = written - sink.bytes.length;
    assert.ok(resumed() || written > 0);
    if (written < noise.length) assert.ok(held < 600_000, `${held} bytes held`);
    stage.abort();
    assert.is(owner.totals.length, 1);
  });

  test(`${coding}: an abort in the middle frees the stream and writes nothing more`, async () => {
    const [sink, owner] = [new Sink(), new Owner()];
    const stage = new CompressStage(codec, false, sink, owner);
    stage.write(TEXT);
    stage.abort();
    const written = sink.bytes.length;
    assert.is(owner.totals.length, 1);
    stage.write(TEXT);
    stage.end(undefined);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.is(sink.bytes.length, written);
    assert.not.ok(sink.done);
    assert.equal(owner.timers, []);
  });
}

test('a body that pauses is flushed by the timer, once', async () => {
  const [sink, owner] = [new Sink(), new Owner()];
  const stage = new CompressStage(codecOf('gzip', 6)!, false, sink, owner);
  await pour(stage, sink, [Buffer.from('hello')]);
  await until(() => owner.timers.length === 1, 'the timer');
  assert.not.ok(decodesTo('gzip', sink.bytes, 'hello'));
  owner.timers.pop()!();
  await until(() => decodesTo('gzip', sink.bytes, 'hello'), 'the flush');
  assert.equal(owner.timers, []);
  stage.abort();
});

test('an empty body is a valid stream of the coding', async () => {
  const [sink, owner] = [new Sink(), new Owner()];
  const stage = new CompressStage(codecOf('gzip', 6)!, false, sink, owner);
  stage.end(undefined);
  await until(() => sink.done, 'the end');
  assert.is(zlib.gunzipSync(sink.bytes).length, 0);
});

test('writes that are in flight when the source was paused are kept, in order', async () => {
  const [sink, owner] = [new Sink(), new Owner()];
  const stage = new CompressStage(codecOf('gzip', 6)!, false, sink, owner);
  for (const part of parts(TEXT, 20_000)) stage.write(part);
  stage.end(undefined);
  await until(() => sink.done, 'the end');
  assert.equal(zlib.gunzipSync(sink.bytes), TEXT);
});

function decodesTo(coding: string, bytes: Buffer, text: string): boolean {
  try {
    const options = {
      finishFlush: coding === 'br' ? zlib.constants.BROTLI_OPERATION_FLUSH : zlib.constants.Z_SYNC_FLUSH,
    };
    if (coding === 'br') return zlib.brotliDecompressSync(bytes, options).toString() === text;
    if (coding === 'gzip') return zlib.gunzipSync(bytes, options).toString() === text;
    if (coding === 'deflate') return zlib.inflateSync(bytes, options).toString() === text;
    const { zstdDecompressSync } = zlib as unknown as { zstdDecompressSync(given: Buffer, options: object): Buffer };
    return zstdDecompressSync(bytes, { finishFlush: 1 }).toString() === text;
  } catch {
    return false;
  }
}

test.run();
