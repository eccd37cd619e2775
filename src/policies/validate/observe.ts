/** Keeps a copy of a reply's body while it passes unchanged, to check it afterwards. */
import zlib from 'node:zlib';
import type { BodyStage, HeaderFields, StageOut } from '../contract.js';

export interface Observer {
  /** Largest body that is kept, in bytes, also once decoded. */
  readonly max: number;
  /** Bytes more, or fewer, are kept. */
  held(bytes: number): void;
  /** Once, if the body ended: the decoded body; undefined if it is too large or has an unknown coding. */
  done(body: Uint8Array | undefined): void;
}

export class ObservedReply implements BodyStage {
  readonly observes = true;
  readonly #out: StageOut;
  readonly #coding: string;
  readonly #observer: Observer;
  #parts: Uint8Array[] | undefined = [];
  #length = 0;

  constructor(out: StageOut, coding: string | undefined, observer: Observer) {
    this.#out = out;
    this.#coding = coding?.trim().toLowerCase() ?? '';
    this.#observer = observer;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#parts !== undefined) {
      if (this.#length + bytes.length > this.#observer.max) this.#release();
      else {
        this.#parts.push(Uint8Array.from(bytes));
        this.#length += bytes.length;
        this.#observer.held(bytes.length);
      }
    }
    return this.#out.write(bytes);
  }

  end(trailers: HeaderFields | undefined): void {
    const body =
      this.#parts === undefined ? undefined : decodedBody(Buffer.concat(this.#parts), this.#coding, this.#observer.max);
    this.#release();
    this.#out.end(trailers);
    this.#observer.done(body);
  }

  abort(): void {
    this.#release();
  }

  #release(): void {
    if (this.#parts === undefined) return;
    this.#observer.held(-this.#length);
    this.#parts = undefined;
    this.#length = 0;
  }
}

/** At most `max` bytes. Undefined for a coding that gw does not read, or an invalid body. */
function decodedBody(bytes: Buffer, coding: string, max: number): Uint8Array | undefined {
  const options = { maxOutputLength: max };
  try {
    if (coding === '' || coding === 'identity') return bytes;
    if (coding === 'gzip' || coding === 'x-gzip') return zlib.gunzipSync(bytes, options);
    if (coding === 'deflate') return zlib.inflateSync(bytes, options);
    return coding === 'br' ? zlib.brotliDecompressSync(bytes, options) : undefined;
  } catch {
    // Too large, or not what its coding says.
    return undefined;
  }
}
