import { once } from 'node:events';
import { createServer } from 'node:net';
import { errnoCode } from '../../src/reason.js';

/** Below the ports that a system gives to `listen(0)` and to connections: none of them becomes a free port of a test. */
const FIRST = 12_000;
const LAST = 32_000;

/** A free port of this machine, which stays free until a test listens on it. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    const server = createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch (error) {
      if (errnoCode(error) !== 'EADDRINUSE') throw error;
      continue;
    }
    server.close();
    await once(server, 'close');
    return port;
  }
}
