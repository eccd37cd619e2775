/**
 * Sends requests at a fixed rate, independent of the replies: `{port, path, rate, seconds, warmup, connections}`. Send
 * times are chosen in advance (a Poisson process). Latency is measured from the scheduled time, even if no connection
 * was free then, so a stall counts for every request scheduled during it.
 *
 * Prints `{"p50", "p99", "late", "behind", "done", "bad"}`. `p50` and `p99` are microseconds. `late` is the p99 of the
 * client's own delay in noticing that a request is due. `behind` is the number of requests without a connection at the
 * time the last request was due.
 */
import { connect, type Socket } from 'node:net';
import { seededBelow } from '../../test/support/random.js';
import { ReplyCounter } from './reply-counter.js';

interface Task {
  readonly port: number;
  readonly path: string;
  readonly rate: number;
  /** Seconds before latencies count, and seconds while they count. */
  readonly warmup: number;
  readonly seconds: number;
  readonly connections: number;
}

/** Milliseconds to wait for the last replies. */
const LAST_REPLIES = 5000;

const task: Task = JSON.parse(process.argv[2] ?? '{}');
const request = Buffer.from(`GET ${task.path} HTTP/1.1\r\nHost: 127.0.0.1:${task.port}\r\n\r\n`);
const reads = Buffer.allocUnsafe(65_536);
const free: Connection[] = [];

/** Milliseconds from the start at which each request is due. */
const schedule = scheduleOf(task.rate, (task.warmup + task.seconds) * 1000);
/** Milliseconds. Preallocated: a growing array would stall the client. */
const latencies = new Float64Array(schedule.length);
const lateness = new Float64Array(schedule.length);
let start = 0;
/** Number of requests that are due, and of those that were sent. */
let due = 0;
let sent = 0;
let done = 0;
let inFlight = 0;
let bad = 0;
let behind = 0;
let ready = 0;

function scheduleOf(rate: number, milliseconds: number): Float64Array {
  const next = seededBelow(7);
  const moments: number[] = [];
  const gap = (): number => (-Math.log((next(1e9) + 1) / 1e9) * 1000) / rate;
  for (let moment = gap(); moment < milliseconds; moment += gap()) moments.push(moment);
  return Float64Array.from(moments);
}

class Connection {
  readonly #socket: Socket;
  readonly #reply = new ReplyCounter();
  #number = 0;

  constructor(onReady: () => void) {
    // One buffer for all reads: a new one per read would cause garbage collections and delay the client.
    const onread = { buffer: reads, callback: (length: number) => this.#take(reads.subarray(0, length)) };
    this.#socket = connect({ port: task.port, host: '127.0.0.1', onread }, onReady);
    this.#socket.setNoDelay(true);
    this.#socket.on('error', () => this.#socket.destroy());
    this.#socket.on('close', () => {
      bad++;
      if (ready < task.connections) settle(performance.now());
    });
  }

  send(number: number): void {
    this.#number = number;
    inFlight++;
    this.#socket.write(request);
  }

  #take(data: Buffer): boolean {
    if (!this.#reply.take(data)) return true;
    inFlight--;
    done++;
    if (this.#reply.status !== 200) bad++;
    latencies[this.#number] = performance.now() - start - schedule[this.#number]!;
    free.push(this);
    dispatch();
    return true;
  }
}

function dispatch(): void {
  while (sent < due && free.length > 0) free.pop()?.send(sent++);
}

/** Reads the clock in every turn of the event loop: a timer would be up to a millisecond late. */
function pace(): void {
  const now = performance.now() - start;
  while (due < schedule.length && schedule[due]! <= now) {
    lateness[due] = now - schedule[due]!;
    due++;
  }
  dispatch();
  if (due < schedule.length) {
    setImmediate(pace);
    return;
  }
  behind = due - sent;
  settle(performance.now() + LAST_REPLIES);
}

/** Quantile in microseconds over the requests that were due after the warm-up. */
function quantileOf(values: Float64Array, share: number): number {
  const counted = values.slice(schedule.findIndex((moment) => moment >= task.warmup * 1000)).sort();
  return (counted[Math.min(counted.length - 1, Math.floor(counted.length * share))] ?? 0) * 1000;
}

function settle(deadline: number): void {
  const open = inFlight + due - sent;
  if (open > 0 && performance.now() < deadline) {
    setTimeout(settle, 5, deadline);
    return;
  }
  const [p50, p99, late] = [quantileOf(latencies, 0.5), quantileOf(latencies, 0.99), quantileOf(lateness, 0.99)];
  console.log(JSON.stringify({ p50, p99, late, behind, done, bad: bad + open }));
  process.exit();
}

for (let i = 0; i < task.connections; i++) {
  const connection = new Connection(() => {
    free.push(connection);
    if (++ready < task.connections) return;
    start = performance.now();
    pace();
  });
}
