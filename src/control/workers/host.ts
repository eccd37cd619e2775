/** A data plane in a worker thread, seen from control as if it were here; replaced when its thread dies or is stuck. */
import { Worker } from 'node:worker_threads';
import { Backoff, Delay, RESTART_BACKOFF } from '../../delay.js';
import type {
  BoundListener,
  DataPlaneEvents,
  DataPlaneOptions,
  DrainReport,
  GenerationInput,
  WatchLevel,
  WorkerApi,
} from '../../proxy/types.js';
import { messageOf } from '../../reason.js';

import { pinAddresses } from '../ports/addresses.js';
import { BLOCKED_THREAD } from '../serve/process-end.js';
import { fromWire, type WorkerAnswer, type WorkerCall, type WorkerMessage, type WorkerSetup } from './protocol.js';

/** How long after its due time an answer may come from a thread that is busy, until it is taken for stuck. */
const ANSWER_WITHIN_MS = 3000;

/** Looks, a second apart, after which a thread that has not come round to a ping is ended. Loading may take longer. */
export const STUCK_AFTER = 10;
export const STUCK_AFTER_LOADING = 60;
const LOOK_EVERY_MS = 1000;

export interface WorkerHostOptions {
  readonly options: DataPlaneOptions;
  readonly events: DataPlaneEvents;
  /** The thread died: forgets what it had open, and says how many exchanges were in flight. */
  readonly died: () => number;
  /** Resolves when no load is under way: a replacement does not come to serve what is about to be the past. */
  readonly loaded?: () => Promise<unknown>;
  /** Entry of the thread; a test brings one that dies on command. */
  readonly entry?: URL;
  /** Milliseconds between two looks at whether the thread is stuck. */
  readonly lookEvery?: number;
}

interface Waiting {
  resolve(message: WorkerAnswer): void;
  reject(error: Error): void;
}

type Question =
  | { readonly call: 'prepare'; readonly input: GenerationInput }
  | { readonly call: 'commit' }
  | { readonly call: 'drain'; readonly timeoutMs: number }
  | { readonly call: 'close' };

const NOTHING: DrainReport = { cut: 0, tunnels: 0, raced: 0, tookMs: 0 };

export class WorkerHost implements WorkerApi {
  /** Which worker this is, from 0. */
  readonly index: number;
  readonly #setup: WorkerHostOptions;
  readonly #waiting = new Map<number, Waiting>();
  readonly #watchdog: NodeJS.Timeout;
  #worker: Worker | undefined;
  #startedAt = 0;
  #nextId = 1;
  readonly #backoff = new Backoff({ ...RESTART_BACKOFF, immediate: true });
  #restarts = 0;
  /** Pings without an answer. */
  #unanswered = 0;
  #watch: WatchLevel = 'off';
  /** What a replacement loads: the last generation that went live, on the addresses that were bound for it. */
  #wanted: GenerationInput | undefined;
  /** What is prepared, and on which thread. */
  #prepared: { readonly input: GenerationInput; readonly worker: Worker | undefined } | undefined;
  #settled: Promise<void> = Promise.resolve();
  /** Of the last thread that was ended for another one. */
  #gone: Promise<void> = Promise.resolve();
  /** Differs for each series of replacements: one that is overtaken ends. */
  #series = 0;
  #replacing = false;
  readonly #delay = new Delay();
  /** The thread that was started for a load, in place of one that was due. */
  #started: Worker | undefined;
  /** Why the thread that is being ended is ended. */
  #cause = '';
  /** What the last thread that died had in flight. */
  #lost = 0;
  #closing = false;
  /** close() was called: what is asked of the thread, a drain above all, ends with it. */
  #closed = false;

  constructor(setup: WorkerHostOptions) {
    this.#setup = setup;
    this.index = setup.options.worker ?? 0;
    this.#spawn();
    this.#watchdog = setInterval(() => this.#look(), setup.lookEvery ?? LOOK_EVERY_MS).unref();
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** Its thread is up: it serves, or waits for its first generation. Otherwise a replacement is due. */
  get ready(): boolean {
    return this.#worker !== undefined && !this.#replacing;
  }

  /** On a worker whose thread died: a new thread starts at once, and with this generation. */
  async prepare(input: GenerationInput): Promise<readonly BoundListener[]> {
    if (!this.ready) await this.#startAnew();
    if (this.#closing) throw new Error('The data plane is closing.');
    const worker = this.#worker;
    const listeners = await this.#prepare(input);
    this.#prepared = { input: pinAddresses(input, listeners), worker };
    return listeners;
  }

  commit(): void {
    const prepared = this.#prepared;
    if (!prepared) return;
    this.#prepared = undefined;
    this.#started = undefined;
    this.#wanted = prepared.input;
    // A thread that died meanwhile is being replaced, and its replacement loads what is wanted now.
    if (prepared.worker === this.#worker) this.#commit();
  }

  /** Resolves when the last commit has come through, or its thread is gone. */
  get settled(): Promise<void> {
    return this.#settled;
  }

  #commit(): void {
    this.#settled = this.#ask({ call: 'commit' }).then(
      () => {},
      // It died: what takes its place loads the same.
      () => {},
    );
  }

  abort(): void {
    const prepared = this.#prepared;
    this.#prepared = undefined;
    if (prepared && prepared.worker === this.#worker) this.#post({ call: 'abort' });
    // It may have been started anew for what is not wanted any more.
    if (this.#started !== undefined && this.#started === this.#worker) {
      this.#started = undefined;
      void this.#replace(0);
    }
  }

  /** The generation that went live without this worker, which is being replaced: its replacement loads it. */
  adopt(input: GenerationInput): void {
    this.#wanted = input;
    // It came back in that very moment, with the one before.
    if (this.ready) void this.#replace(0);
  }

  watch(level: WatchLevel): void {
    this.#watch = level;
    this.#post({ call: 'watch', level });
  }

  reopenLog(): void {
    this.#post({ call: 'reopen' });
  }

  async drain(timeoutMs: number): Promise<DrainReport> {
    // A replacement would bind again what is to be let go.
    this.#closing = true;
    if (!this.ready) {
      // What was about to replace it may have bound its listeners, and would let clients in whom nobody serves.
      this.#delay.interrupt();
      await this.#end();
      return NOTHING;
    }
    const since = performance.now();
    const drained = this.#ask({ call: 'drain', timeoutMs });
    try {
      const answer = await within(drained, timeoutMs + ANSWER_WITHIN_MS);
      if (answer?.type === 'drained') return answer.report;
      if (this.#closed) return NOTHING;
      // A thread that answers nothing drains nothing either: what it holds is cut with it.
      this.#lost = this.#setup.died();
      this.#log('error', 'does not answer, terminated', { lost: this.#lost });
    } catch (error) {
      if (this.#closed) return NOTHING;
      this.#log('error', 'failed during the drain', { lost: this.#lost, cause: String(error) });
    }
    return { ...NOTHING, cut: this.#lost, tookMs: performance.now() - since };
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#closed = true;
    clearInterval(this.#watchdog);
    this.#delay.interrupt();
    const worker = this.#worker;
    if (!worker) return await this.#gone;
    // A thread that died meanwhile is closed as well as one that says so.
    await within(this.#ask({ call: 'close' }), ANSWER_WITHIN_MS).catch(() => {});
    if ((await within(worker.terminate(), ANSWER_WITHIN_MS)) !== undefined) return;
    // It waits for the system, and ends when that answers: a name lookup may take minutes.
    this.#log('warn', 'has not ended yet', {
      cause: BLOCKED_THREAD,
    });
    this.#forgetQuestions('The data-plane worker cannot be terminated.');
  }

  #spawn(): void {
    const data: WorkerSetup = { options: this.#setup.options };
    const worker = new Worker(this.#setup.entry ?? new URL('./worker.js', import.meta.url), { workerData: data });
    this.#worker = worker;
    this.#startedAt = performance.now();
    this.#unanswered = 0;
    this.#cause = '';
    let cause = '';
    worker.on('message', (message: WorkerMessage) => this.#take(worker, message));
    worker.on('error', (error) => {
      cause = error instanceof Error ? (error.stack ?? error.message) : String(error);
    });
    worker.on('exit', (code) => this.#exited(worker, this.#cause || cause || `exit code ${code}`));
    if (this.#watch !== 'off') this.#post({ call: 'watch', level: this.#watch });
  }

  #take(worker: Worker, message: WorkerMessage): void {
    const { events } = this.#setup;
    if (message.type === 'requests') events.requests(message.records, message.dropped);
    else if (message.type === 'recent') events.recent?.(message.records);
    else if (message.type === 'failures') events.failures?.(message.failures);
    else if (message.type === 'lines') events.lines?.(message.lines, message.count);
    else if (message.type === 'log') events.log(message.level, message.message, message.fields);
    else if (worker !== this.#worker) return;
    else if (message.type === 'pong') this.#unanswered = 0;
    else {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.type === 'failed') waiting?.reject(fromWire(message.error));
      else waiting?.resolve(message);
    }
  }

  #post(call: WorkerCall): void {
    this.#worker?.postMessage(call);
  }

  #ask(question: Question): Promise<WorkerAnswer> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      if (!this.#worker) {
        reject(new Error('The data-plane worker is not running.'));
        return;
      }
      this.#waiting.set(id, { resolve, reject });
      this.#post({ ...question, id });
    });
  }

  async #prepare(input: GenerationInput): Promise<readonly BoundListener[]> {
    const answer = await this.#ask({ call: 'prepare', input });
    if (answer.type !== 'prepared') throw new Error(`The worker answered \`${answer.type}\` to prepare.`);
    return answer.listeners;
  }

  /**
   * Counted in looks, not by the clock: after a suspension of the whole process nobody has answered, and nobody is stuck.
   */
  #look(): void {
    const worker = this.#worker;
    if (!worker || this.#closing) return;
    const after = this.#waiting.size > 0 ? STUCK_AFTER_LOADING : STUCK_AFTER;
    if (++this.#unanswered <= after) {
      this.#post({ call: 'ping' });
      return;
    }
    // Told once; what it held is free when it is gone.
    this.#unanswered = Number.NEGATIVE_INFINITY;
    this.#cause = `stuck: no answer to ${after} pings`;
    worker.terminate().catch((error: unknown) => this.#log('error', 'cannot be terminated', { cause: String(error) }));
  }

  #exited(worker: Worker, cause: string): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const lost = this.#setup.died();
    this.#lost = lost;
    this.#forgetQuestions(`The data-plane worker died: ${cause}`);
    // A replacement that dies as it loads is told, and tried again, where it is waited for.
    if (this.#closing || this.#replacing) return;
    const wait = this.#backoff.next(performance.now() - this.#startedAt);
    this.#log('error', `died, ${nextIn(wait)}`, { lost, cause });
    void this.#replace(wait);
  }

  #forgetQuestions(why: string): void {
    for (const waiting of this.#waiting.values()) waiting.reject(new Error(why));
    this.#waiting.clear();
  }

  /** Overtakes the replacement that is due: a new thread, which has loaded nothing. */
  async #startAnew(): Promise<void> {
    this.#series++;
    this.#delay.interrupt();
    await this.#end();
    this.#replacing = false;
    if (this.#closing) return;
    this.#spawn();
    this.#restarts++;
    this.#started = this.#worker;
  }

  /** Resolves when the thread is gone, and one that is being ended already. */
  async #end(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#forgetQuestions('The data-plane worker was replaced.');
    if (worker) this.#gone = this.#letGo(worker);
    await this.#gone;
  }

  async #letGo(worker: Worker): Promise<void> {
    await worker.terminate();
    const lost = this.#setup.died();
    if (lost > 0) this.#log('error', 'terminated and replaced', { lost });
  }

  /** Tries until a worker serves the wanted generation again, the host closes, or another load overtakes it. */
  async #replace(firstWait: number): Promise<void> {
    const series = ++this.#series;
    const overtaken = (): boolean => this.#closing || series !== this.#series;
    this.#replacing = true;
    for (let wait = firstWait; ; ) {
      await this.#delay.wait(wait);
      if (overtaken()) return;
      await this.#end();
      if (overtaken()) return;
      this.#spawn();
      this.#restarts++;
      try {
        await this.#loadWanted(overtaken);
        if (overtaken()) return;
        this.#log('info', 'serves again', { restarts: this.#restarts });
        return;
      } catch (error) {
        if (overtaken()) return;
        const message = messageOf(error);
        wait = this.#backoff.next();
        this.#log('error', `cannot load the generation, ${nextIn(wait)}`, { cause: message });
      }
    }
  }

  /** Another generation may go live meanwhile: then that one. Rejects when the thread cannot load it, or dies. */
  async #loadWanted(overtaken: () => boolean): Promise<void> {
    const worker = this.#worker;
    for (let input = this.#wanted; input; input = this.#wanted) {
      await this.#prepare(input);
      await this.#setup.loaded?.();
      if (overtaken()) return;
      if (input !== this.#wanted) continue;
      this.#commit();
      await this.#settled;
      if (overtaken()) return;
      if (this.#worker !== worker) throw new Error('The worker died when it began to serve.');
      if (input === this.#wanted) break;
    }
    // In the same turn as the last look at what is wanted: whoever changes that from now on loads it here.
    this.#replacing = false;
  }

  #log(level: 'info' | 'warn' | 'error', message: string, fields: Record<string, unknown>): void {
    this.#setup.events.log(level, `data-plane worker ${this.index} ${message}`, { worker: this.index, ...fields });
  }
}

const nextIn = (wait: number): string => `replacement starts ${wait === 0 ? 'at once' : `in ${wait} ms`}`;

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
