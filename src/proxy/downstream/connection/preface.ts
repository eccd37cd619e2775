/**
 * HTTP/2 by prior knowledge on a port without TLS, RFC 9113 section 3.3. Its preface looks like a request of a version that the
 * parser refuses, so requests of HTTP/1.1 are not looked at.
 */
/** The first bytes of a client, RFC 9113 section 3.4. */
export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

/** Opens an HTTP/2 connection on the client's socket; `first` is what has come on it. */
type Open = (first: Buffer) => void;

/** Reads the connection so far. */
interface Reader {
  /** Unread input. */
  readonly intake: {
    /** Its first bytes as latin1, at most `most`. */
    peek(most: number): string;
    /** Removes all of it. */
    takeAll(): Buffer | undefined;
  };
  /** Stops or goes on reading. */
  pause(pause: boolean): void;
}

export class Http2Switch {
  readonly #open: Open;

  constructor(open: Open) {
    this.#open = open;
  }

  /**
   * Whether the input of a connection that has sent no request begins with the preface, as far as it is here. If it is complete, the
   * connection must not be used any more.
   */
  take(reader: Reader, state: { phase: string }): boolean {
    const { intake } = reader;
    const begin = intake.peek(PREFACE.length);
    if (!PREFACE.startsWith(begin)) return false;
    if (begin.length < PREFACE.length) return true;
    state.phase = 'closed';
    const first = intake.takeAll();
    // It was stopped if its input has waited for the connection's turn.
    reader.pause(false);
    if (first !== undefined) this.#open(first);
    return true;
  }
}
