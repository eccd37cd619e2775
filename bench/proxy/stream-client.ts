/**
 * Sends one long body through a gateway: `{port, direction: "down" | "up", bytes}`. Prints `{"status", "bytes",
 * "seconds"}`; `bytes` is the number of bytes that arrived at the other end.
 */
import { connect } from 'node:net';
import { ReplyCounter } from './reply-counter.js';

const BLOCK = Buffer.alloc(256 * 1024, 'x');

const { port, direction, bytes }: { readonly port: number; readonly direction: string; readonly bytes: number } =
  JSON.parse(process.argv[2] ?? '{}');

const socket = connect(port, '127.0.0.1');
const reply = new ReplyCounter();
const began = performance.now();
let unsent = direction === 'up' ? bytes : 0;
let body = '';

function send(): void {
  while (unsent > 0 && !socket.destroyed) {
    const part = unsent < BLOCK.length ? BLOCK.subarray(0, unsent) : BLOCK;
    unsent -= part.length;
    if (!socket.write(part)) return;
  }
}

function finish(arrived: number): void {
  console.log(JSON.stringify({ status: reply.status, bytes: arrived, seconds: (performance.now() - began) / 1000 }));
  process.exit();
}

socket.on('connect', () => {
  const host = `Host: 127.0.0.1:${port}\r\n`;
  if (direction === 'up') {
    const type = 'Content-Type: application/octet-stream';
    socket.write(`POST /upload HTTP/1.1\r\n${host}${type}\r\nContent-Length: ${bytes}\r\n\r\n`);
    send();
  } else socket.write(`GET /stream/${bytes} HTTP/1.1\r\n${host}\r\n`);
});
socket.on('drain', send);
socket.on('data', (data) => {
  if (direction === 'up') body += data.toString('latin1');
  if (!reply.take(data)) return;
  finish(direction === 'up' ? Number(/"received":(\d+)/.exec(body)?.[1] ?? 0) : reply.bytes);
});
socket.on('error', () => finish(reply.bytes));
socket.on('close', () => finish(reply.bytes));
