/**
 * What a target may send on a connection besides replies. node:http2 bounds memory; these bounds keep a target from taking the
 * thread's time with frames that cost it little: SETTINGS, PING, PRIORITY, WINDOW_UPDATE, and empty frames.
 */

/** Milliseconds over which frames and bytes are counted. */
const WINDOW_MS = 1000;
/** PING and SETTINGS frames in that time: far more than keep-alive needs. */
const MOST_CONTROL = 100;
/** Bytes in that time that belong to no head and no body, beyond a share of those that do. */
const MOST_OVERHEAD = 256 * 1024;
const OVERHEAD_SHARE = 1 / 4;

export class FrameGuard {
  #since = 0;
  #control = 0;
  /** Bytes of heads and bodies in this window. */
  #payload = 0;
  /** All bytes that had come when it began. */
  #before = 0;

  /** A PING or SETTINGS frame has come. Returns false if there were too many. */
  control(): boolean {
    return ++this.#control <= MOST_CONTROL;
  }

  payload(bytes: number): void {
    this.#payload += bytes;
  }

  /** Called a few times a second. `bytes`: all that have come. Returns what there was too much of; undefined if all is well. */
  sweep(now: number, bytes: number): string | undefined {
    const overhead = bytes - this.#before - this.#payload * (1 + OVERHEAD_SHARE);
    const most = (MOST_OVERHEAD * Math.max(WINDOW_MS, now - this.#since)) / WINDOW_MS;
    if (overhead > most) return `more than ${MOST_OVERHEAD / 1024} KiB a second of frames that belong to no reply`;
    if (this.#control > MOST_CONTROL) return TOO_MUCH_CONTROL;
    if (now - this.#since < WINDOW_MS) return undefined;
    this.#since = now;
    this.#control = 0;
    this.#payload = 0;
    this.#before = bytes;
    return undefined;
  }
}

export const TOO_MUCH_CONTROL = `more than ${MOST_CONTROL} PING and SETTINGS frames a second`;
