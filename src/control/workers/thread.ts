/** One thread of a worker: carries calls to it, matches answers, and counts pings that it has not answered. */
import { type MessagePort, Worker } from 'node:worker_threads';
import type { Json } from '../../bundle/types.js';
import type { DataPlaneEvents, DataPlaneOptions } from '../../proxy/types.js';
import {
  fromWire,
  toWire,
  type WorkerAnswer,
  type WorkerCall,
  type WorkerMessage,
  type WorkerQuestion,
  type WorkerSetup,
} from './protocol.js';

type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;
export type Question = WithoutId<WorkerQuestion>;

/** Unanswered pings, one a second, after which a thread is terminated. Loading may take longer. */
export const STUCK_AFTER = 10;
export const STUCK_AFTER_LOADING = 60;

/** Questions that no thread needs long for. */
const QUICK: ReadonlySet<Question['call']> = new Set(['certificates', 'consumers', 'targets', 'report']);

interface Waiting {
  readonly question: Question;
  resolve(message: WorkerAnswer): void;
  reject(error: Error): void;
}

export interface ThreadSetup {
  readonly options: DataPlaneOptions;
  readonly events: DataPlaneEvents;
  /** Entry point of the thread; tests use others. */
  readonly entry?: URL;
}

export class WorkerThread {
  readonly startedAt = performance.now();
  readonly #worker: Worker;
  readonly #events: DataPlaneEvents;
  readonly #options: DataPlaneOptions;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  /** Pings without an answer. */
  #unanswered = 0;
  /** Why it is being terminated. */
  #cause = '';

  /** `exited` is called once, when the thread has ended. */
  constructor({ options, events, entry }: ThreadSetup, exited: (thread: WorkerThread, cause: string) => void) {
    const data: WorkerSetup = { options };
    const worker = new Worker(entry ?? new URL('./entry.js', import.meta.url), { workerData: data });
    this.#worker = worker;
    this.#events = events;
    this.#options = options;
    let cause = '';
    worker.on('message', (message: WorkerMessage) => this.#take(message));
    worker.on('error', (error) => {
      cause = error instanceof Error ? (error.stack ?? error.message) : String(error);
    });
    worker.on('exit', (code) => exited(this, this.#cause || cause || `exit code ${code}`));
  }

  post(call: WorkerCall): void {
    this.#worker.postMessage(call);
  }

  /** Rejects if the thread fails to do it, or ends. */
  ask(question: Question): Promise<WorkerAnswer> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { question, resolve, reject });
      this.post({ ...question, id });
    });
  }

  /** Ends all questions. */
  rejectPending(why: string): void {
    for (const waiting of this.#waiting.values()) waiting.reject(new Error(why));
    this.#waiting.clear();
  }

  terminate(): Promise<number> {
    return this.#worker.terminate();
  }

  /**
   * Sends a ping, or terminates a thread that is stuck: the exit follows. Counts pings, not time: after a suspension of the
   * whole process no worker has answered, and none is stuck. `failed` is called if it cannot be terminated.
   */
  ping(failed: (error: unknown) => void): void {
    const loading = [...this.#waiting.values()].some(({ question }) => !QUICK.has(question.call));
    const after = loading ? STUCK_AFTER_LOADING : STUCK_AFTER;
    if (++this.#unanswered <= after) {
      this.post({ call: 'ping' });
      return;
    }
    // Terminate once.
    this.#unanswered = Number.NEGATIVE_INFINITY;
    this.#cause = `stuck: no answer to ${after} pings`;
    this.terminate().catch(failed);
  }

  #take(message: WorkerMessage): void {
    const events = this.#events;
    if (message.type === 'requests') events.requests(message.records, message.dropped);
    else if (message.type === 'recent') events.recent?.(message.records);
    else if (message.type === 'demand') events.demand?.(message.service);
    else if (message.type === 'reports') events.reports?.(message.reports);
    else if (message.type === 'disk') {
      const { worker } = this.#options;
      const connect = (port: MessagePort): void =>
        this.#worker.postMessage({ call: 'disk', port } satisfies WorkerCall, [port]);
      events.disk?.(worker ?? 0, connect, message.unapplied);
    } else if (message.type === 'lines') events.lines?.(message.lines, message.count);
    else if (message.type === 'log') events.log(message.level, message.message, message.fields);
    else if (message.type === 'ask') void this.#answer(message);
    else if (message.type === 'pong') this.#unanswered = 0;
    else {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.type === 'failed') waiting?.reject(fromWire(message.error));
      else waiting?.resolve(message);
    }
  }

  async #answer({ id, identity, question }: Extract<WorkerMessage, { type: 'ask' }>): Promise<void> {
    const call = await answerTo(this.#events, identity, question).then(
      (answer): WorkerCall => ({ call: 'answer', id, answer }),
      (error: unknown): WorkerCall => ({ call: 'unanswered', id, error: toWire(error) }),
    );
    this.post(call);
  }
}

const answerTo = async (events: DataPlaneEvents, identity: string, question: Json): Promise<Json> => {
  if (events.ask === undefined) throw new Error('duties do not run here');
  return await events.ask(identity, question);
};
