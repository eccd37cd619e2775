/** The state of a client connection, shared by its reader and the connection itself. */

/** Milliseconds that an idle connection stays open for a request on its way when its listener stops. */
export const IDLE_GRACE = 500;
/** Milliseconds that a closing connection keeps reading, so that the client gets the reply (RFC 9112 section 9.6). */
export const LINGER_MS = 2000;
export const LINGER_BYTES = 4 * 1024 * 1024;
/** Bytes of unsent reply at which gw stops writing until the client reads. */
export const WRITE_BUFFER = 64 * 1024;

/**
 *     head -> exchange -> head                 the next request
 *                      -> drain -> head        the reply is out, the rest of the request's body is not in
 *                      -> tunnel               after a 101
 *     any  -> linger -> closed                 our FIN is out
 */
export type Phase = 'head' | 'exchange' | 'tunnel' | 'drain' | 'linger' | 'closed';

export class ConnectionState {
  phase: Phase = 'head';
  /** Monotonic milliseconds at which the present wait times out (for a head, or for the end); 0 for none. */
  deadline: number;
  /** The client sent its FIN. */
  ended = false;
  /** It was idle and is closing, since its listener stops; until further bytes come. */
  retired = false;
  /** The client sent `Expect: 100-continue` and waits for the answer. */
  awaitsContinue = false;

  constructor(deadline: number) {
    this.deadline = deadline;
  }
}
