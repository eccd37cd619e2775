/** The helper thread that runs the compile parts of custom code, used synchronously and with a time limit. */
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import type { CustomCode, PolicyContext } from '../contract/index.js';
import type { CodePlace } from './evaluate.js';
import {
  type CodeFault,
  type FromHelper,
  type HelperNeed,
  type HelperRequest,
  type HelperResults,
  type HelperSetup,
  TO_HELPER,
  TO_READER,
  type ToHelper,
} from './protocol.js';

/** Milliseconds for one step of custom code, and for the start of the thread. */
const STEP_LIMIT_MS = 5000;
const START_LIMIT_MS = 30_000;
/** Milliseconds without work after which the thread ends. */
const IDLE_MS = 10_000;
/** MiB. */
const MEMORY_LIMIT = 256;

/** Custom code that cannot be used: it throws, takes too long, or returns what is not valid. */
export class CodeFailure extends Error {
  override readonly name = 'CodeFailure';
  readonly place: CodePlace | undefined;
  constructor({ message, place }: CodeFault) {
    super(message);
    this.place = place;
  }
}

/** The thread was ended by what an earlier step has left: a timer, or a promise. */
class EarlierEnd extends CodeFailure {}

/** What custom code may ask for while it runs. */
export type Supply = Pick<PolicyContext, 'readFile' | 'consumers'>;

interface Running {
  readonly worker: Worker;
  readonly port: MessagePort;
  readonly words: Int32Array;
  readonly loaded: Set<string>;
}

export class CodeThread {
  readonly #limitMs: number;
  #running: Running | undefined;
  #ids = 0;
  #idle: NodeJS.Timeout | undefined;

  /** `limitMs`: for each step. */
  constructor(limitMs = STEP_LIMIT_MS) {
    this.#limitMs = limitMs;
  }

  /** Evaluates a module, and returns what it declares. Throws CodeFailure. */
  load(code: CustomCode, use: string): HelperResults['load'] {
    return this.#again(() => this.#load(code, use));
  }

  #load(code: CustomCode, use: string): HelperResults['load'] {
    const running = this.#start();
    const result = this.#call(running, 'load', { ask: 'load', use, ...code });
    running.loaded.add(code.sha256);
    return result;
  }

  /** Repeats a step once, in another thread, if another step has ended the thread. */
  #again<T>(step: () => T): T {
    try {
      return step();
    } catch (error) {
      if (!(error instanceof EarlierEnd)) throw error;
      return step();
    }
  }

  /** Runs a step of a module, which is loaded first if it is not. Throws CodeFailure. */
  run<Ask extends 'decode' | 'check'>(
    code: CustomCode,
    use: string,
    ask: Ask,
    request: Omit<Extract<HelperRequest, { readonly ask: Ask }>, 'ask' | 'sha256'>,
    supply?: Supply,
  ): HelperResults[Ask] {
    const whole = { ask, sha256: code.sha256, ...request } as Extract<HelperRequest, { readonly ask: Ask }>;
    return this.#again(() => {
      if (!this.#start().loaded.has(code.sha256)) this.#load(code, use);
      return this.#call(this.#start(), ask, whole, supply);
    });
  }

  /** Ends the thread. A later use starts another one. */
  close(): void {
    clearTimeout(this.#idle);
    const running = this.#running;
    this.#running = undefined;
    if (running === undefined) return;
    running.port.close();
    void running.worker.terminate();
  }

  #start(): Running {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.close(), IDLE_MS).unref();
    this.#running ??= this.#open();
    return this.#running;
  }

  #open(): Running {
    const { port1: port, port2 } = new MessageChannel();
    const signal = new SharedArrayBuffer(8);
    const workerData: HelperSetup = { port: port2, signal };
    const worker = new Worker(new URL('./helper.js', import.meta.url), {
      workerData,
      transferList: [port2],
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: MEMORY_LIMIT },
    });
    // Out of memory, for example: the step that caused it has run into its time limit.
    worker.on('error', () => {});
    worker.once('exit', () => {
      if (this.#running?.worker === worker) this.#running = undefined;
    });
    worker.unref();
    port.unref();
    const running = { worker, port, words: new Int32Array(signal), loaded: new Set<string>() };
    this.#running = running;
    this.#wait(running, 0, START_LIMIT_MS, (message) => ('ready' in message ? message : undefined));
    return running;
  }

  #call<Ask extends HelperRequest['ask']>(
    running: Running,
    _ask: Ask,
    request: HelperRequest,
    supply?: Supply,
  ): HelperResults[Ask] {
    const id = ++this.#ids;
    this.#send(running, { id, request });
    return this.#wait(running, id, this.#limitMs, (message) => {
      if (!('id' in message) || message.id !== id || 'ended' in message) return undefined;
      if ('fault' in message) throw new CodeFailure(message.fault);
      if ('need' in message) {
        this.#send(running, supplied(message.need, supply));
        return undefined;
      }
      return message.result as HelperResults[Ask];
    });
  }

  #send({ port, words }: Running, message: ToHelper): void {
    port.postMessage(message);
    Atomics.add(words, TO_HELPER, 1);
    Atomics.notify(words, TO_HELPER);
  }

  /** Blocks this thread until `take` returns something for a message. `id`: of the request that it waits for. */
  #wait<T>(running: Running, id: number, limitMs: number, take: (message: FromHelper) => T | undefined): T {
    const { port, words } = running;
    const deadline = performance.now() + limitMs;
    for (;;) {
      const seen = Atomics.load(words, TO_READER);
      const received: { readonly message: FromHelper } | undefined = receiveMessageOnPort(port);
      if (received && 'ended' in received.message) {
        this.close();
        const { ended, id: during } = received.message;
        throw during === id ? new CodeFailure(ended) : new EarlierEnd(ended);
      }
      const taken = received && take(received.message);
      if (taken !== undefined) return taken;
      if (received) continue;
      const left = deadline - performance.now();
      if (left <= 0) {
        this.close();
        throw new CodeFailure({
          message: `The code did not finish within ${limitMs} ms, or needed more than ${MEMORY_LIMIT} MiB of memory.`,
        });
      }
      Atomics.wait(words, TO_READER, seen, left);
    }
  }
}

function supplied(need: HelperNeed, supply: Supply | undefined): ToHelper {
  if ('consumers' in need) return { consumers: supply?.consumers ?? [] };
  return { file: supply?.readFile(need.file) ?? { cause: 'files cannot be read here' } };
}
