/** Finds free ports for managed targets, and checks whether one answers. */
import { connect, createServer } from 'node:net';
import { errnoCode } from '../../reason.js';

/** A free loopback port that is not in `taken`. `wanted`: the port to check, 0 for any. Undefined if it is in use. */
export function freePort(taken: ReadonlySet<number>, wanted = 0): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) => {
      if (errnoCode(error) === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(wanted, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      server.close(() => {
        if (wanted === 0 && taken.has(port)) freePort(taken).then(resolve, reject);
        else resolve(port);
      });
    });
  });
}

/** The loopback address on which the port accepts (`localhost` is IPv6 for some programs), or undefined. */
export async function answeringHost(port: number): Promise<string | undefined> {
  const [v4, v6] = await Promise.all([accepts('127.0.0.1', port), accepts('::1', port)]);
  if (v4) return '127.0.0.1';
  if (!v6) return undefined;
  // It may have begun to listen on both between the two checks.
  return (await accepts('127.0.0.1', port)) ? '127.0.0.1' : '[::1]';
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1000, () => done(false));
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
  });
}
