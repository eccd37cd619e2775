/**
 * Requests at a fixed rate, whatever the replies do: `{port, path, rate, seconds, warmup, connections}`. The moments are
 * those of a Poisson process, chosen beforehand, and a latency counts from the moment at which its request was due, also
 * when no connection was free then: a stall is seen by all the requests that fell into it. Prints `{"p50", "p99", "late",
 * "done", "bad"}`, microseconds; `late` is the p99 of how late this client itself noticed that a request was due.
 */
import { connect, type Socket } from 'node:net';
import { seededBelow } from '../../test/support/random.js';
import { ReplyCounter } from './reply-counter.js';

interface Task {
  readonly port: number;
  readonly path: string;
  readonly rate: number;
  /** Before and while latencies count. */
  readonly warmup: number;
  readonly seconds: number;
  readonly connections: number;
}

/** Milliseconds to wait for the last replies. */
const LAST_REPLIES = 5000;

const task: Task = JSON.parse(process.argv[2] ?? '{}');
const request = Buffer.from(`GET ${task.path} HTTP/1.1\r\nHost: 127.0.0.1:${task.port}\r\n\r\n`);
const next = seededBelow(7);
const free: Connection[] = [];
const latencies: number[] = [];
const lateness: number[] = [];
/** Moments of requests that wait for a connection, oldest first from `waitingAt`. */
const waiting: number[] = [];
let waitingAt = 0;
let inFlight = 0;
let bad = 0;
let counting = 0;

class Connection {
  readonly #socket: Socket;
  readonly #reply = new ReplyCounter();
  #due = 0;

  constructor(onReady: () => void) {
    this.#socket = connect(task.port, '127.0.0.1', onReady);
    this.#socket.setNoDelay(true);
    this.#socket.on('data', (data) => this.#take(data));
    this.#socket.on('error', () => this.#socket.destroy());
    this.#socket.on('close', () => {
      bad++;
      if (ready < task.connections) settle(performance.now());
    });
  }

  send(due: number): void {
    this.#due = due;
    inFlight++;
    this.#socket.write(request);
  }

  #take(data: Buffer): void {
    if (!this.#reply.take(data)) return;
    inFlight--;
    if (this.#reply.status !== 200) bad++;
    if (this.#due >= counting) latencies.push(performance.now() - this.#due);
    free.push(this);
    dispatch();
  }
}

function dispatch(): void {
  while (waitingAt < waiting.length && free.length > 0) free.pop()?.send(waiting[waitingAt++] ?? 0);
}

const gap = (): number => (-Math.log((next(1e9) + 1) / 1e9) * 1000) / task.rate;

/** Looks at the clock in every turn of the loop: a timer would be a millisecond late. */
function pace(due: number, end: number): void {
  const now = performance.now();
  let moment = due;
  while (moment <= now && moment < end) {
    waiting.push(moment);
    if (moment >= counting) lateness.push(now - moment);
    moment += gap();
  }
  dispatch();
  if (moment < end) setImmediate(pace, moment, end);
  else settle(performance.now() + LAST_REPLIES);
}

/** Microseconds. */
function quantileOf(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) * 1000;
}

function settle(deadline: number): void {
  const open = inFlight + waiting.length - waitingAt;
  if (open > 0 && performance.now() < deadline) {
    setTimeout(settle, 5, deadline);
    return;
  }
  const done = latencies.length;
  const late = quantileOf(lateness, 0.99);
  const p50 = quantileOf(latencies, 0.5);
  console.log(JSON.stringify({ p50, p99: quantileOf(latencies, 0.99), late, done, bad: bad + open }));
  process.exit();
}

let ready = 0;
for (let i = 0; i < task.connections; i++) {
  const connection = new Connection(() => {
    free.push(connection);
    if (++ready < task.connections) return;
    const start = performance.now();
    counting = start + task.warmup * 1000;
    pace(start, counting + task.seconds * 1000);
  });
}
