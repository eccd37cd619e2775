/** A data plane in a worker thread, seen from control as if it were here; replaced when its thread dies. */
import { Worker } from 'node:worker_threads';
import type {
  BoundListener,
  DataPlaneApi,
  DataPlaneEvents,
  DataPlaneOptions,
  DrainReport,
  GenerationInput,
  WatchLevel,
} from '../proxy/types.js';
import { fromWire, type WorkerCall, type WorkerMessage, type WorkerSetup } from './port-protocol.js';

const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 10_000;
/** A worker that served this long counts as sound again. */
const STABLE_MS = 10_000;

/** How long after its due time an answer may come from a thread that is busy, until it is taken for stuck. */
const ANSWER_WITHIN_MS = 3000;

export interface WorkerHostOptions {
  readonly options: DataPlaneOptions;
  readonly events: DataPlaneEvents;
  /** The thread died: forgets what it had open, and says how many exchanges were in flight. */
  readonly died: () => number;
  /** Entry of the thread; a test brings one that dies on command. */
  readonly entry?: URL;
}

interface Waiting {
  resolve(message: WorkerMessage): void;
  reject(error: Error): void;
}

type CallBody =
  | { readonly call: 'load'; readonly input: GenerationInput }
  | { readonly call: 'drain'; readonly timeoutMs: number }
  | { readonly call: 'close' };

export class WorkerHost implements DataPlaneApi {
  readonly #setup: WorkerHostOptions;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #startedAt = 0;
  #nextId = 1;
  #failures = 0;
  #restarts = 0;
  #watch: WatchLevel = 'off';
  /** What a replacement loads: the last generation that went live, on the addresses that were bound for it. */
  #current: GenerationInput | undefined;
  #restarting: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #wake: (() => void) | undefined;
  #closing = false;

  constructor(setup: WorkerHostOptions) {
    this.#setup = setup;
    this.#spawn();
  }

  get restarts(): number {
    return this.#restarts;
  }

  async load(input: GenerationInput): Promise<readonly BoundListener[]> {
    await this.#restarting;
    const answer = await this.#call({ call: 'load', input });
    if (answer.tell !== 'loaded') throw new Error(`The worker answered \`${answer.tell}\` to load.`);
    this.#current = pinAddresses(input, answer.listeners);
    return answer.listeners;
  }

  watch(level: WatchLevel): void {
    this.#watch = level;
    this.#post({ call: 'watch', level });
  }

  async drain(timeoutMs: number): Promise<DrainReport> {
    // A replacement would bind again what is to be let go.
    this.#closing = true;
    if (!this.#worker || this.#restarting) return { cut: 0, tunnels: 0, raced: 0, tookMs: 0 };
    const answer = await within(this.#call({ call: 'drain', timeoutMs }), timeoutMs + ANSWER_WITHIN_MS);
    if (!answer) {
      // A thread that answers nothing drains nothing either: what it holds is cut with it.
      const cut = this.#setup.died();
      this.#setup.events.log('error', 'the data-plane worker does not answer; it is ended', { lost: cut });
      return { cut, tunnels: 0, raced: 0, tookMs: timeoutMs + ANSWER_WITHIN_MS };
    }
    if (answer.tell !== 'drained') throw new Error(`The worker answered \`${answer.tell}\` to drain.`);
    return answer.report;
  }

  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#timer);
    this.#wake?.();
    const worker = this.#worker;
    if (!worker) return;
    // A thread that died meanwhile is closed as well as one that says so.
    await within(this.#call({ call: 'close' }), ANSWER_WITHIN_MS).catch(() => {});
    await worker.terminate();
  }

  #spawn(): void {
    const data: WorkerSetup = { options: this.#setup.options };
    const worker = new Worker(this.#setup.entry ?? new URL('./worker.js', import.meta.url), { workerData: data });
    this.#worker = worker;
    this.#startedAt = Date.now();
    let cause = '';
    worker.on('message', (message: WorkerMessage) => this.#take(message));
    worker.on('error', (error) => {
      cause = error instanceof Error ? (error.stack ?? error.message) : String(error);
    });
    worker.on('exit', (code) => this.#exited(worker, cause || `exit code ${code}`));
    if (this.#watch !== 'off') this.#post({ call: 'watch', level: this.#watch });
  }

  #take(message: WorkerMessage): void {
    const { events } = this.#setup;
    if (message.tell === 'requests') events.requests(message.records, message.dropped);
    else if (message.tell === 'log') events.log(message.level, message.message, message.fields);
    else {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.tell === 'failed') waiting?.reject(fromWire(message.error));
      else waiting?.resolve(message);
    }
  }

  #post(call: WorkerCall): void {
    this.#worker?.postMessage(call);
  }

  #call(body: CallBody): Promise<WorkerMessage> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      if (!this.#worker) {
        reject(new Error('The data-plane worker is not running.'));
        return;
      }
      this.#waiting.set(id, { resolve, reject });
      this.#post({ ...body, id });
    });
  }

  #exited(worker: Worker, cause: string): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    for (const waiting of this.#waiting.values()) waiting.reject(new Error('The data-plane worker died.'));
    this.#waiting.clear();
    if (this.#closing) return;
    if (Date.now() - this.#startedAt >= STABLE_MS) this.#failures = 0;
    const lost = this.#setup.died();
    const wait = Math.min(FIRST_BACKOFF_MS * 2 ** this.#failures++, MAX_BACKOFF_MS);
    this.#setup.events.log('error', `the data-plane worker died; a new one starts in ${wait} ms`, { lost, cause });
    this.#restarting ??= this.#replace(wait);
  }

  /** Tries until a worker serves the current generation again, or the host closes. */
  async #replace(firstWait: number): Promise<void> {
    let wait = firstWait;
    while (!this.#closing) {
      await this.#pause(wait);
      if (this.#closing) break;
      this.#spawn();
      this.#restarts++;
      try {
        if (this.#current) await this.#call({ call: 'load', input: this.#current });
        this.#setup.events.log('info', 'the data-plane worker is back', { restarts: this.#restarts });
        break;
      } catch (error) {
        if (this.#closing) break;
        const message = error instanceof Error ? error.message : String(error);
        this.#setup.events.log('error', 'the new data-plane worker could not load', { error: message });
        const failed = this.#worker;
        this.#worker = undefined;
        await failed?.terminate();
        wait = Math.min(FIRST_BACKOFF_MS * 2 ** this.#failures++, MAX_BACKOFF_MS);
      }
    }
    this.#restarting = undefined;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.#timer = setTimeout(resolve, ms);
    });
  }
}

/** A listener on port 0 keeps, over a replacement, the port that the system once chose. */
function pinAddresses(input: GenerationInput, bound: readonly BoundListener[]): GenerationInput {
  const listeners = input.program.listeners.map((listener) => {
    const address = bound.find((one) => one.name === listener.name)?.address;
    return address !== undefined && typeof listener.address === 'string' && listener.address.endsWith(':0')
      ? { ...listener, address }
      : listener;
  });
  return { ...input, program: { ...input.program, listeners } };
}

/** The answer, or undefined when it takes too long; one that comes later is nobody's business any more. */
async function within<T>(answer: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  answer.catch(() => {});
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
