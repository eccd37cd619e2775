/**
 * Sends a message on each of `connections` WebSockets as soon as the last one has come back: `{port, path, seconds, connections,
 * bytes}`. The masking key is zero, which is a valid key.
 *
 * Prints `{"done", "bad", "seconds"}`. `done` counts messages that came back; `bad` closed connections and other bytes.
 */
import { connect, type Socket } from 'node:net';
import { clientFrame, serverFrame } from './websocket-frames.js';

interface Task {
  readonly port: number;
  readonly path: string;
  readonly seconds: number;
  readonly connections: number;
  /** Of the payload of a message; at most 125. */
  readonly bytes: number;
}

const task: Task = JSON.parse(process.argv[2] ?? '{}');
const payload = Buffer.alloc(task.bytes, 'x');
const message = clientFrame(payload);
const expected = serverFrame(payload);
const request = Buffer.from(
  `GET ${task.path} HTTP/1.1\r\nHost: 127.0.0.1:${task.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
);

let open = 0;
let done = 0;
let bad = 0;
let start = 0;
let ended = false;

class Connection {
  readonly #socket: Socket;
  #head: Buffer | undefined = Buffer.alloc(0);
  #have = 0;

  constructor() {
    this.#socket = connect(task.port, '127.0.0.1', () => this.#socket.write(request));
    this.#socket.setNoDelay(true);
    this.#socket.on('data', (data: Buffer) => this.#take(data));
    this.#socket.on('error', () => this.#socket.destroy());
    this.#socket.on('close', () => {
      if (!ended) bad++;
      if (start === 0) finish();
    });
  }

  send(): void {
    this.#socket.write(message);
  }

  #take(data: Buffer): void {
    if (this.#head !== undefined) this.#upgrade(Buffer.concat([this.#head, data]));
    else if (data.compare(expected, this.#have, this.#have + data.length) !== 0) this.#socket.destroy();
    else {
      this.#have += data.length;
      if (this.#have < expected.length) return;
      this.#have = 0;
      done++;
      if (!ended) this.send();
    }
  }

  #upgrade(head: Buffer): void {
    this.#head = head;
    if (!head.includes('\r\n\r\n')) return;
    this.#head = undefined;
    if (!head.toString('latin1').startsWith('HTTP/1.1 101 ')) this.#socket.destroy();
    else if (++open === task.connections) begin();
  }
}

function begin(): void {
  start = performance.now();
  done = 0;
  for (const connection of connections) connection.send();
  setTimeout(finish, task.seconds * 1000);
}

function finish(): void {
  ended = true;
  console.log(JSON.stringify({ done, bad, seconds: (performance.now() - start) / 1000 }));
  process.exit();
}

const connections = Array.from({ length: task.connections }, () => new Connection());
