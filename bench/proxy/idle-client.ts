/**
 * Opens connections, sends one request on each and keeps them open: `{port, path}`, then one line per number of further
 * connections. Prints `{"open": N}` when all of them have been answered. Ends at the end of its input.
 */
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { ReplyCounter } from './reply-counter.js';

/** Connections opened concurrently. Limited, because idle connections are measured and not a burst. */
const AT_ONCE = 64;

const { port, path }: { readonly port: number; readonly path: string } = JSON.parse(process.argv[2] ?? '{}');

const open = new Set<Socket>();

/** Opens a connection and keeps it after a 200 reply; resolves also on failure. */
function visit(): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const reply = new ReplyCounter();
    socket.on('connect', () => socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`));
    socket.on('data', (data) => {
      if (!reply.take(data)) return;
      if (reply.status === 200) open.add(socket);
      resolve();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      open.delete(socket);
      resolve();
    });
  });
}

async function openFurther(connections: number): Promise<void> {
  let begun = 0;
  const opener = async (): Promise<void> => {
    while (begun < connections) {
      begun++;
      await visit();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, opener));
}

for await (const line of createInterface({ input: process.stdin })) {
  await openFurther(Number(line));
  console.log(JSON.stringify({ open: open.size }));
}
process.exit();
