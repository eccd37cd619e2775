/** Finds the frame headers in one direction of an HTTP/2 connection, RFC 9113 section 4.1, without copying anything. */

/** Frame types, RFC 9113 section 6. */
export const Frame = {
  Data: 0,
  Headers: 1,
  Priority: 2,
  RstStream: 3,
  Settings: 4,
  PushPromise: 5,
  Ping: 6,
  Goaway: 7,
  WindowUpdate: 8,
  Continuation: 9,
} as const;

export const Flag = { EndStream: 1, Ack: 1, EndHeaders: 4 } as const;

const HEADER = 9;

/** Who gets the payloads of HEADERS and CONTINUATION. */
export interface BlockReader {
  begin(type: number, flags: number, stream: number, length: number): void;
  take(bytes: Uint8Array, start: number, end: number): void;
}

export interface FrameWatcher {
  /**
   * The header of a frame; `length` is that of its payload in bytes. `bytes` are those of the scan, where the payload begins at
   * `at`, as far as it is there.
   */
  onFrame(type: number, flags: number, stream: number, length: number, bytes: Uint8Array, at: number): void;
}

export class FrameScanner {
  readonly #watcher: FrameWatcher;
  /** Bytes before the next frame header. */
  #skip: number;
  /** A frame header of which only the first `#have` bytes are here. */
  readonly #head = Buffer.alloc(HEADER);
  #have = 0;
  readonly #blocks: BlockReader | undefined;
  /** The payload is one of those that #blocks gets. */
  #inBlock = false;

  /** `skip`: bytes before the first frame, such as the client's preface. */
  constructor(watcher: FrameWatcher, skip: number, blocks?: BlockReader) {
    this.#watcher = watcher;
    this.#skip = skip;
    this.#blocks = blocks;
  }

  /** The bytes so far end within a frame. */
  get within(): boolean {
    return this.#skip > 0 || this.#have > 0;
  }

  /** Scans buffer[start, end), which continues the bytes before. */
  scan(buffer: Uint8Array, start: number, end: number): void {
    let at = start;
    while (at < end) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, end - at);
        this.#skip -= skipped;
        if (this.#inBlock) this.#blocks?.take(buffer, at, at + skipped);
        at += skipped;
      } else if (this.#have === 0 && end - at >= HEADER) {
        at += HEADER;
        this.#report(buffer, at - HEADER, buffer, at);
      } else {
        this.#head[this.#have++] = buffer[at++]!;
        if (this.#have < HEADER) continue;
        this.#have = 0;
        this.#report(this.#head, 0, buffer, at);
      }
    }
  }

  #report(head: Uint8Array, at: number, bytes: Uint8Array, payloadAt: number): void {
    const length = (head[at]! << 16) | (head[at + 1]! << 8) | head[at + 2]!;
    this.#skip = length;
    const stream = ((head[at + 5]! & 0x7f) << 24) | (head[at + 6]! << 16) | (head[at + 7]! << 8) | head[at + 8]!;
    const type = head[at + 3]!;
    this.#inBlock = type === Frame.Headers || type === Frame.Continuation;
    if (this.#inBlock) this.#blocks?.begin(type, head[at + 4]!, stream, length);
    this.#watcher.onFrame(type, head[at + 4]!, stream, length, bytes, payloadAt);
  }
}
