/** Compresses one body as it streams. Work is done in the thread pool of Node, one piece at a time. */
import zlib from 'node:zlib';
import type { BodyStage, HeaderFields, StageOut } from '../contract.js';
import type { Coding } from './schema.js';

/** A body that pauses for so long is flushed, in milliseconds. */
const FLUSH_AFTER = 2;

/** Bytes of one piece of output. */
const CHUNK = 16 * 1024;

/** Windows of 256 KiB: larger ones save little on replies and cost megabytes for each stream. */
const WINDOW_BITS = 18;

/** What all zlib streams have that a stage uses. */
export interface Compressor {
  write(bytes: Uint8Array, done: (error?: Error | null) => void): boolean;
  flush(kind: number, done: () => void): void;
  end(): void;
  pause(): unknown;
  resume(): unknown;
  destroy(): unknown;
  on(event: 'data', listener: (bytes: Uint8Array) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** How to make and flush the streams of a coding. */
export interface Codec {
  readonly coding: Coding;
  readonly flush: number;
  /** `flushing`: what is written comes out at once, without a call of flush(). */
  create(flushing: boolean): Compressor;
}

interface ZstdModule {
  createZstdCompress?(options: object): Compressor;
}

/** Undefined if this version of Node does not have the coding. */
export function codecOf(coding: Coding, level: number): Codec | undefined {
  const { constants } = zlib;
  switch (coding) {
    case 'gzip':
      return {
        coding,
        flush: constants.Z_SYNC_FLUSH,
        create: (flushing) => zlib.createGzip(deflateOptions(level, flushing)),
      };
    case 'deflate':
      // RFC 9110 section 8.4.1.2: the zlib format, not bare deflate data.
      return {
        coding,
        flush: constants.Z_SYNC_FLUSH,
        create: (flushing) => zlib.createDeflate(deflateOptions(level, flushing)),
      };
    case 'br': {
      const params = { [constants.BROTLI_PARAM_QUALITY]: level, [constants.BROTLI_PARAM_LGWIN]: WINDOW_BITS };
      const flush = constants.BROTLI_OPERATION_FLUSH;
      const each = (flushing: boolean): number => (flushing ? flush : constants.BROTLI_OPERATION_PROCESS);
      return {
        coding,
        flush,
        create: (flushing) => zlib.createBrotliCompress({ chunkSize: CHUNK, params, flush: each(flushing) }),
      };
    }
    case 'zstd':
      return zstd(level);
  }
}

const deflateOptions = (level: number, flushing: boolean): zlib.ZlibOptions => ({
  level,
  chunkSize: CHUNK,
  memLevel: 8,
  windowBits: 15,
  flush: flushing ? zlib.constants.Z_SYNC_FLUSH : zlib.constants.Z_NO_FLUSH,
});

/** Node 22.15 and later; the types of Node 20 do not have it. */
function zstd(level: number): Codec | undefined {
  const { createZstdCompress } = zlib as ZstdModule;
  if (createZstdCompress === undefined) return undefined;
  // ZSTD_c_compressionLevel, ZSTD_c_windowLog, ZSTD_e_flush.
  const params = { 100: level, 101: WINDOW_BITS };
  return {
    coding: 'zstd',
    flush: 1,
    create: (flushing) => createZstdCompress({ chunkSize: CHUNK, params, flush: flushing ? 1 : 0 }),
  };
}

/** What a stage reports to its policy. */
export interface StageOwner {
  /** Milliseconds until `work` runs once; returns the function that cancels it. */
  after(ms: number, work: () => void): () => void;
  /** Once for each stage: its compressor is freed. */
  released(bytesIn: number, bytesOut: number): void;
}

export class CompressStage implements BodyStage {
  readonly #out: StageOut;
  readonly #codec: Codec;
  readonly #owner: StageOwner;
  /** Whether each write is flushed: the events of a stream. The compressor does that with the write, in one job. */
  readonly #events: boolean;
  readonly #compressor: Compressor;
  /** Written while the compressor was busy: at most what the source had in flight when it was paused. */
  readonly #waiting: Uint8Array[] = [];
  #busy = false;
  /** The source was paused, because the compressor was busy. */
  #blocked = false;
  #paused = false;
  #unflushed = false;
  #cancelFlush: (() => void) | undefined;
  #ended = false;
  #trailers: HeaderFields | undefined;
  #released = false;
  #bytesIn = 0;
  #bytesOut = 0;

  constructor(codec: Codec, events: boolean, out: StageOut, owner: StageOwner) {
    this.#out = out;
    this.#codec = codec;
    this.#events = events;
    this.#owner = owner;
    this.#compressor = codec.create(events);
    this.#compressor.on('data', (bytes) => this.#emit(bytes));
    this.#compressor.on('end', () => this.#complete());
    this.#compressor.on('error', (error) => this.#fail(error));
  }

  write(bytes: Uint8Array): boolean {
    if (this.#released) return true;
    this.#bytesIn += bytes.length;
    // The compressor reads it in another thread, after the caller has the bytes back.
    this.#waiting.push(new Uint8Array(bytes));
    this.#next();
    this.#blocked = this.#busy;
    return !this.#busy;
  }

  end(trailers: HeaderFields | undefined): void {
    if (this.#released) return;
    this.#ended = true;
    this.#trailers = trailers;
    this.#next();
  }

  abort(): void {
    this.#release();
  }

  /** Gives the compressor the next piece, or a flush, or the end, if it is idle. */
  #next(): void {
    if (this.#busy || this.#released) return;
    const bytes = this.#waiting.shift();
    if (bytes !== undefined) {
      this.#busy = true;
      this.#unflushed = !this.#events;
      this.#compressor.write(bytes, (error) => this.#wrote(error));
    } else if (this.#ended) {
      this.#busy = true;
      this.#stopTimer();
      this.#compressor.end();
    } else if (this.#unflushed) {
      this.#cancelFlush ??= this.#owner.after(FLUSH_AFTER, () => this.#due());
    }
  }

  #wrote(error: Error | null | undefined): void {
    // The error event reports it.
    if (error || this.#released) return;
    this.#busy = false;
    this.#next();
    if (this.#busy || !this.#blocked) return;
    this.#blocked = false;
    this.#out.resume();
  }

  #due(): void {
    this.#cancelFlush = undefined;
    if (!this.#busy && !this.#released && this.#unflushed) this.#flush();
  }

  #flush(): void {
    this.#busy = true;
    this.#unflushed = false;
    this.#compressor.flush(this.#codec.flush, () => this.#wrote(undefined));
  }

  #emit(bytes: Uint8Array): void {
    if (this.#released) return;
    this.#bytesOut += bytes.length;
    if (this.#out.write(bytes) || this.#paused) return;
    this.#paused = true;
    this.#compressor.pause();
    this.#out.onWritable(() => {
      this.#paused = false;
      if (!this.#released) this.#compressor.resume();
    });
  }

  #complete(): void {
    if (this.#released) return;
    this.#release();
    this.#out.end(this.#trailers);
  }

  #fail(error: Error): void {
    if (this.#released) return;
    this.#release();
    this.#out.fail(`${this.#codec.coding} failed: ${error.message}`);
  }

  #stopTimer(): void {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
  }

  /** Frees the memory of the compressor at once, or as soon as the thread pool has left it. */
  #release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#stopTimer();
    this.#waiting.length = 0;
    this.#compressor.destroy();
    this.#owner.released(this.#bytesIn, this.#bytesOut);
  }
}
