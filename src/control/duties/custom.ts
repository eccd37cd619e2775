/** Duties of custom policies: each runs in a thread of its own, which can be terminated. */
import { Worker } from 'node:worker_threads';
import type { DutySetup, FromDuty, Settled, ToDuty } from '../../custom/duty-protocol.js';
import type { CreateDuty, DutyHost, DutyInstance, DutyReply, Json } from '../../policies/contract.js';
import { messageOf, reasonOf } from '../../reason.js';

/** MiB. */
const MEMORY_LIMIT = 256;

/** Milliseconds between two values that a duty publishes: each costs work in all workers. */
const PUBLISH_EVERY_MS = 100;
/** Milliseconds for close() of the code. */
const CLOSE_WITHIN_MS = 1000;

/** The duty in the code of a custom policy. `text`: the code. */
export const customDuty =
  (text: string, use: string): CreateDuty =>
  (settings, host) =>
    new CustomDuty({ text, use, settings, name: host.name }, host);

interface Waiting {
  resolve(value: Json | undefined): void;
  reject(error: Error): void;
}

class CustomDuty implements DutyInstance {
  readonly #setup: Omit<DutySetup, 'last'>;
  readonly #host: DutyHost;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #ids = 0;
  #publishedAt = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(setup: Omit<DutySetup, 'last'>, host: DutyHost) {
    this.#setup = setup;
    this.#host = host;
  }

  async run(): Promise<number | undefined> {
    const next = await this.#send((id) => ({ run: id }));
    return typeof next === 'number' ? next : undefined;
  }

  async ask(question: Json): Promise<Json> {
    return (await this.#send((id) => ({ ask: id, question }))) ?? null;
  }

  close(): void {
    this.#closed = true;
    const worker = this.#worker;
    this.#end('the duty was closed');
    if (worker === undefined) return;
    worker.postMessage({ close: true } satisfies ToDuty);
    const timer = setTimeout(() => void worker.terminate(), CLOSE_WITHIN_MS).unref();
    worker.once('exit', () => clearTimeout(timer));
  }

  #send(message: (id: number) => ToDuty): Promise<Json | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new Error('the duty was closed');
      const id = ++this.#ids;
      this.#waiting.set(id, { resolve, reject });
      this.#worker ??= this.#open();
      this.#worker.postMessage(message(id));
    });
  }

  /** The thread has ended: the next run opens another one. */
  #end(cause: string): void {
    this.#worker = undefined;
    for (const { reject } of this.#waiting.values()) reject(new Error(cause));
    this.#waiting.clear();
  }

  #open(): Worker {
    const { last } = this.#host;
    const workerData: DutySetup = { ...this.#setup, last };
    const worker = new Worker(new URL('../../custom/duty-worker.js', import.meta.url), {
      workerData,
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: MEMORY_LIMIT },
    });
    worker.unref();
    let cause = 'its thread has ended';
    worker.on('error', (error: unknown) => {
      cause = messageOf(error);
    });
    worker.once('exit', () => {
      if (this.#worker !== worker) return;
      // Otherwise the failed run says why.
      if (this.#waiting.size === 0) this.#host.logger.warn('thread of a duty ended', { cause });
      this.#end(cause);
    });
    worker.on('message', (message: FromDuty) => {
      if (this.#worker === worker || 'log' in message) this.#receive(worker, message);
    });
    return worker;
  }

  #receive(worker: Worker, message: FromDuty): void {
    if ('settled' in message) this.#settle(message.settled);
    else if ('publish' in message) this.#publish(worker, message.publish);
    else if ('log' in message) this.#host.logger[message.log](message.message, message.fields);
    else {
      const { fetch: id, url, options } = message;
      // A URL that is not valid throws.
      const reply = (async () => this.#host.fetch(url, options))();
      const post = (fetched: Settled<DutyReply>): void => worker.postMessage({ fetched } satisfies ToDuty);
      reply.then(
        (value) => post({ id, value }),
        (error: unknown) => post({ id, cause: reasonOf(error) }),
      );
    }
  }

  #publish(worker: Worker, value: Json): void {
    const now = performance.now();
    const wait = this.#publishedAt + PUBLISH_EVERY_MS - now;
    this.#publishedAt = Math.max(now, now + wait);
    const next = (): void => worker.postMessage({ published: true } satisfies ToDuty);
    if (wait > 0) setTimeout(next, wait).unref();
    else next();
    try {
      this.#host.publish(value);
    } catch (error) {
      this.#host.logger.error('duty published a value that is not valid', { cause: messageOf(error) });
    }
  }

  #settle(settled: Settled<Json | undefined>): void {
    const waiting = this.#waiting.get(settled.id);
    this.#waiting.delete(settled.id);
    if ('value' in settled) waiting?.resolve(settled.value);
    else waiting?.reject(new Error(settled.cause));
  }
}
