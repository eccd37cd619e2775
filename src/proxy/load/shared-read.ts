/**
 * Sockets that read into one buffer per thread, instead of a new buffer for every read. node:net offers this (`onread`) for
 * sockets that connect, but not for sockets that a server accepts. So the handle of an accepted socket moves to a socket of
 * our own. Neither `_handle` nor the option `handle` is a public API; if they are not as expected, the accepted socket stays
 * and reports its reads by `data`. test/proxy/load/shared-read.test.ts checks each version of Node for it.
 */
import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';

const READ_BUFFER = 64 * 1024;

/**
 * A read is handled completely before the next one begins, so all sockets of a thread can share a buffer. On Windows the
 * system gets the buffer ahead of time, so no two sockets can share one.
 */
const sharedBuffer = (): Buffer | undefined =>
  process.platform === 'win32' ? undefined : Buffer.allocUnsafeSlow(READ_BUFFER);

const fromClients = sharedBuffer();
const fromTargets = sharedBuffer();

/** `onread` for a socket that connects to a target: `reader` gets each read, buffer[0, count), valid until it returns. */
export function sharedOnread(reader: (buffer: Buffer, count: number) => void): OnReadOpts {
  const buffer = fromTargets ?? Buffer.allocUnsafeSlow(READ_BUFFER);
  const callback = (count: number): boolean => {
    reader(buffer, count);
    return true;
  };
  return { buffer, callback };
}

/** Gets each read, buffer[0, count). If `lent`, the buffer is reused once this returns. */
export type Reader = (buffer: Buffer, count: number, lent: boolean) => void;

interface Options extends SocketConstructorOpts {
  readonly handle: object;
  readonly highWaterMark: number;
  readonly onread: OnReadOpts;
}

/**
 * A socket for the connection of `accepted`, which must not have been read from and must not be used afterwards. It calls
 * `reader` for each read; do not listen to its `data`. It allows half-open connections.
 */
export function readIntoShared(accepted: Socket, highWaterMark: number, reader: Reader): Socket {
  const shared = fromClients;
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
  // The accepted socket has no handle left to close; its server counts it as closed.
  accepted.destroy();
  return socket;
}

/** Takes the handle out of a socket, if the handle can read into a given buffer. */
function takeHandle(socket: Socket): object | undefined {
  if (!('_handle' in socket) || socket.readableLength > 0 || socket.bytesRead > 0) return undefined;
  const handle = socket._handle;
  if (typeof handle !== 'object' || handle === null) return undefined;
  if (!('useUserBuffer' in handle && 'readStart' in handle)) return undefined;
  socket._handle = null;
  return handle;
}
