/**
 * Accepted sockets that read into one buffer of the thread. node:net offers `onread` to sockets that connect, and to none
 * that a server accepts: those make a buffer for every read. So the accepted socket's handle is given to a socket of our
 * own. Neither `_handle` nor the option `handle` has a public contract; where they are not as expected, the socket is left
 * as it is and tells of its reads by `data`. test/proxy/load/accepted.test.ts holds the versions of Node to it.
 */
import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';

const READ_BUFFER = 64 * 1024;

/** On Windows buffers are given to the system ahead of time, so no two sockets can have the same. */
const shared = process.platform === 'win32' ? undefined : Buffer.allocUnsafeSlow(READ_BUFFER);

/** Is told what was read: buffer[0, count). Where `lent`, the buffer is read into again once this returns. */
export type Reader = (buffer: Buffer, count: number, lent: boolean) => void;

interface Options extends SocketConstructorOpts {
  readonly handle: object;
  readonly highWaterMark: number;
  readonly onread: OnReadOpts;
}

/**
 * A socket for the connection of `accepted`, which nothing was read from yet and which must not be used afterwards. It
 * calls `reader` for each read; nobody may listen to its `data`. Half-open ends are allowed.
 */
export function readingInto(accepted: Socket, highWaterMark: number, reader: Reader): Socket {
  const handle = shared === undefined ? undefined : takeHandle(accepted);
  if (shared === undefined || handle === undefined) {
    accepted.on('data', (chunk: Buffer) => reader(chunk, chunk.length, false));
    return accepted;
  }
  const callback = (count: number): boolean => {
    reader(shared, count, true);
    return true;
  };
  const options: Options = {
    handle,
    highWaterMark,
    allowHalfOpen: true,
    onread: { buffer: shared, callback },
  };
  const socket = new Socket(options);
  // What is left of the accepted socket has nothing to close; its server counts it off.
  accepted.destroy();
  return socket;
}

/** Takes the handle out of a socket that has one of the kind that can read into a given buffer. */
function takeHandle(socket: Socket): object | undefined {
  if (!('_handle' in socket) || socket.readableLength > 0) return undefined;
  const handle = socket._handle;
  if (typeof handle !== 'object' || handle === null) return undefined;
  if (!('useUserBuffer' in handle && 'readStart' in handle)) return undefined;
  socket._handle = null;
  return handle;
}
