/**
 * Connection errors of a session. Node ends its session with INTERNAL_ERROR whatever the client's mistake was; the code that RFC 9113
 * asks for is in the error of nghttp2.
 */
import { constants, type ServerHttp2Session } from 'node:http2';

/** Errors of nghttp2 by their numbers, and the codes of HTTP/2 for them. */
const CODES: ReadonlyMap<unknown, number> = new Map([
  [-505, constants.NGHTTP2_PROTOCOL_ERROR],
  [-510, constants.NGHTTP2_STREAM_CLOSED],
  [-522, constants.NGHTTP2_FRAME_SIZE_ERROR],
  [-523, constants.NGHTTP2_COMPRESSION_ERROR],
  [-524, constants.NGHTTP2_FLOW_CONTROL_ERROR],
  [-904, constants.NGHTTP2_ENHANCE_YOUR_CALM],
]);

/** What a session asks before it ends with an error. */
export interface ErrorOwner {
  /** The code that the session ends with in any case; undefined: none yet. */
  readonly endCode: number | undefined;
  /** The client has made a mistake: the code of HTTP/2 for it. Returns false if the session may go on. */
  onMistake(error: Error, code: number): boolean;
}

const ofMistake = (error: Error): number | undefined => {
  if (!('errno' in error)) return undefined;
  // A first line that is no preface, for example HTTP/1.1.
  return error.errno === -903 ? constants.NGHTTP2_PROTOCOL_ERROR : CODES.get(error.errno);
};

/** Gives errors of `session` their codes. */
export function watchErrors(session: ServerHttp2Session, owner: ErrorOwner): void {
  const destroy = session.destroy.bind(session);
  session.destroy = (error?: Error | number, code?: number): void => {
    if (!(error instanceof Error)) {
      // Node takes a code in place of an error, too.
      (destroy as (error?: Error | number, code?: number) => void)(error, code);
      return;
    }
    const decided = owner.endCode ?? code;
    const known = decided ?? ofMistake(error);
    if (decided !== undefined || known === undefined || owner.onMistake(error, known)) destroy(error, known);
  };
}
