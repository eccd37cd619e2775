/**
 * Bounds for frames that cost gw work and the client next to nothing. Each kind has an account of frames that refills with time,
 * and with work that justifies them; a client that overdraws one is disconnected with ENHANCE_YOUR_CALM (RFC 9113 section 10.5).
 * They are far above what clients need: gRPC sends a PING every 10 s, and with each of a measurement of its bandwidth.
 */
import { Flag, Frame } from '../../http2/frame-scanner.js';

/** Frames that a client may send at once, and per second. */
interface Allowance {
  readonly burst: number;
  readonly perSecond: number;
}

/** Streams that were reset, by the client or for a mistake of it (CVE-2023-44487, CVE-2025-8671). */
const RESETS: Allowance = { burst: 500, perSecond: 50 };
/** SETTINGS, PING, PRIORITY and frames of unknown types (CVE-2019-9512, CVE-2019-9513, CVE-2019-9515). */
const CONTROL: Allowance = { burst: 1000, perSecond: 100 };
/** WINDOW_UPDATE, beyond those for the data that the client has got. */
const WINDOW: Allowance = { burst: 2000, perSecond: 200 };
/** Frames without content (CVE-2019-9518). */
const EMPTY: Allowance = { burst: 200, perSecond: 10 };
/** WINDOW_UPDATE frames that one DATA frame justifies, and each further one for so many bytes. */
const UPDATES_PER_FRAME = 4;
const BYTES_PER_UPDATE = 1024;
/** CONTINUATION frames of one header block (CVE-2024-28182). */
const MOST_CONTINUATIONS = 8;
/** Bytes of a header block beyond `max_header`: the encoding is seldom longer than the fields. */
const BLOCK_SLACK = 16 * 1024;

class Account {
  readonly #allowance: Allowance;
  #left: number;
  #at = 0;

  constructor(allowance: Allowance) {
    this.#allowance = allowance;
    this.#left = allowance.burst;
  }

  /** Takes one; false if it is overdrawn. `now` in monotonic milliseconds. */
  take(now: number): boolean {
    const { burst, perSecond } = this.#allowance;
    this.#left = Math.min(burst, this.#left + ((now - this.#at) * perSecond) / 1000);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }

  give(count: number): void {
    this.#left = Math.min(this.#allowance.burst, this.#left + count);
  }
}

export class FloodGuard {
  readonly #now: () => number;
  readonly #resets = new Account(RESETS);
  readonly #control = new Account(CONTROL);
  readonly #window = new Account(WINDOW);
  readonly #empty = new Account(EMPTY);
  /** Milliseconds on the monotonic clock at which the present header block began; 0 for none. */
  #blockSince = 0;
  #blockBytes = 0;
  #continuations = 0;

  /** `now`: monotonic milliseconds; a value that is 100 ms old is precise enough. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Accounts for a frame of the client. Returns what it is too much of, or undefined. */
  received(type: number, flags: number, length: number, maxHeaderBytes: number): string | undefined {
    switch (type) {
      case Frame.Data:
        return length > 0 || flags & Flag.EndStream || this.#empty.take(this.#now()) ? undefined : 'empty DATA frames';
      case Frame.Headers:
        this.#blockBytes = 0;
        this.#continuations = 0;
        return this.#block(flags, length, maxHeaderBytes);
      case Frame.Continuation:
        this.#continuations++;
        return this.#block(flags, length, maxHeaderBytes);
      case Frame.RstStream:
        return this.#resets.take(this.#now()) ? undefined : 'reset streams';
      case Frame.WindowUpdate:
        return this.#window.take(this.#now()) ? undefined : 'WINDOW_UPDATE frames';
      default:
        return this.#control.take(this.#now()) ? undefined : 'control frames';
    }
  }

  #block(flags: number, length: number, maxHeaderBytes: number): string | undefined {
    this.#blockBytes += length;
    if (flags & Flag.EndHeaders) this.#blockSince = 0;
    else if (this.#blockSince === 0) this.#blockSince = this.#now();
    if (this.#continuations > MOST_CONTINUATIONS) return 'CONTINUATION frames';
    return this.#blockBytes > maxHeaderBytes + BLOCK_SLACK ? 'bytes of a header block' : undefined;
  }

  /** Whether a header block has begun at least `timeout` milliseconds before `now` (monotonic) and is not complete. */
  blockIsLate(now: number, timeout: number): boolean {
    return this.#blockSince !== 0 && now - this.#blockSince >= timeout;
  }

  /** gw has reset a stream for a mistake of the client. Returns what was too much, or undefined. */
  resetByUs(): string | undefined {
    return this.#resets.take(this.#now()) ? undefined : 'reset streams';
  }

  /** A DATA frame for the client. */
  sentData(length: number): void {
    this.#window.give(UPDATES_PER_FRAME + length / BYTES_PER_UPDATE);
  }

  /** A request was answered to its end. */
  answered(): void {
    this.#resets.give(1);
  }
}
