/**
 * Opens connections, makes one request on each and keeps them: `{port, path}`, then a line for each number of further
 * connections. Prints `{"open": N}` when every one of them was answered. Ends with its input.
 */
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { ReplyCounter } from './reply-counter.js';

/** At most so many are being opened at once: what is measured are connections that wait, not a burst. */
const AT_ONCE = 64;

const { port, path }: { readonly port: number; readonly path: string } = JSON.parse(process.argv[2] ?? '{}');

const open = new Set<Socket>();

/** One more connection that got its reply; resolves either way. */
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
