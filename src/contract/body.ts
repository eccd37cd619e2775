/**
 * Bodies as a policy or an action handles them.
 *
 *     source --write--> stage --write--> stage --write--> target or client
 *            <-resume--       <-resume--       <-writable-
 *
 * Bytes that are passed to write() belong to the caller again when it returns: keep a copy of what is needed later.
 */
import type { Reply, ReplyBody } from './exchange.js';
import type { HeaderFields } from './fields.js';

/** Where a source or a stage writes. */
export interface BodyOut {
  /** Returns false if the receiver is full: stop until the callback of onWritable(). Bytes written meanwhile are not lost. */
  write(bytes: Uint8Array): boolean;
  /**
   * The body is complete. `trailers`: the fields behind it; without them there are none, so a stage that keeps those of its input passes
   * them on. A receiver that cannot have trailers gets the body alone.
   */
  end(trailers?: HeaderFields): void;
  /** The body cannot be completed: the message is cut visibly, or replaced by an error if nothing of it was sent. */
  fail(cause: string): void;
  /** Sets the callback for the next time that the receiver has room again. */
  onWritable(callback: () => void): void;
}

/** Where a stage writes. */
export interface StageOut extends BodyOut {
  /**
   * The stage accepts more, after its write() returned false. A stage that only passes on what out.write() returned needs no
   * call: once the output was full, gw resumes the source when it has room, unless the stage has set onWritable().
   */
  resume(): void;
  /**
   * The stage cannot read its input: like fail(), but the error is that of the body (`upstream/unreadable` of a reply,
   * `request/unreadable` of a request) and not of the policy. `reply` takes the place of that error.
   */
  refuse(cause: string, reply?: Reply): void;
}

/** Changes a body while it streams. One object for each body. It writes only after its first write() or end(). */
export interface BodyStage {
  /** True: it passes every byte on as it is, so a reply keeps its length, ETag and digests. */
  readonly observes?: boolean;
  /** Takes a part of the body. Returns false to pause the source; what is still in flight is written nevertheless. */
  write(bytes: Uint8Array): boolean;
  /**
   * The input is complete; the stage ends its output, at once or later. `trailers`: the fields behind the body, which the stage may edit,
   * pass on, replace, or put into the body. Undefined: there are none.
   */
  end(trailers: HeaderFields | undefined): void;
  /** The exchange has ended without the rest, or this stage threw: release everything. Called once, never after out.end(). */
  abort(cause: string): void;
}

/** A reply body that a policy or action supplies as a stream: from a cache, a call, a function. */
export interface BodySource extends ReplyBody {
  /** Length in bytes, which the body then has exactly; -1 if unknown. */
  readonly length: number;
  /** Begins to write. Called at most once, and not after discard(). */
  start(out: BodyOut): void;
}
