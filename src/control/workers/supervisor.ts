/** One data-plane worker, called from control like a local object. Its thread is replaced when it crashes or is stuck. */
import type { Json } from '../../bundle/types.js';
import { Backoff, Delay, RESTART_BACKOFF, within } from '../../delay.js';
import type {
  BoundListener,
  DrainReport,
  GenerationInput,
  SuppliedCertificates,
  TargetsUpdate,
  WatchLevel,
  WorkerApi,
} from '../../proxy/types.js';
import { messageOf } from '../../reason.js';
import type { ConsumerMemory } from '../../state/consumers/layers.js';

import { pinAddresses } from '../ports/addresses.js';
import { BLOCKED_THREAD } from '../process-end.js';
import { NewestTargets } from './newest-targets.js';
import type { WorkerAnswer, WorkerCall } from './protocol.js';
import { type Question, type ThreadSetup, WorkerThread } from './thread.js';

/** Milliseconds after its due time in which a busy thread may still answer. */
const ANSWER_WITHIN_MS = 3000;

/** Milliseconds in which a thread reports what it has counted. */
const REPORT_WITHIN_MS = 500;

const LOOK_EVERY_MS = 1000;

export interface WorkerSupervisorOptions extends ThreadSetup {
  /** Called when the thread has ended: resets its shared counters and returns the number of exchanges in flight. */
  readonly died: () => number;
  /** Resolves when no load is in progress, so that a replacement does not serve an outdated generation. */
  readonly loaded?: () => Promise<unknown>;
  /** Milliseconds between two pings. */
  readonly lookEvery?: number;
}

const NOTHING: DrainReport = { cut: 0, tunnels: 0, raced: 0, tookMs: 0 };

export class WorkerSupervisor implements WorkerApi {
  /** The number of this worker, from 0. */
  readonly index: number;
  readonly #setup: WorkerSupervisorOptions;
  readonly #watchdog: NodeJS.Timeout;
  #worker: WorkerThread | undefined;
  readonly #backoff = new Backoff({ ...RESTART_BACKOFF, immediate: true });
  #restarts = 0;
  #watch: WatchLevel = 'off';
  /** What a replacement loads: the live generation, with the addresses that are bound for it. */
  #wanted: GenerationInput | undefined;
  /** Newer than those of `#wanted`. */
  #consumers: ConsumerMemory | undefined;
  readonly #targets = new NewestTargets();
  #certificates: SuppliedCertificates | undefined;
  /** The prepared generation, and the thread that prepared it. */
  #prepared: { readonly input: GenerationInput; readonly worker: WorkerThread | undefined } | undefined;
  #settled: Promise<void> = Promise.resolve();
  /** Resolves when the last replaced thread has ended. */
  #gone: Promise<void> = Promise.resolve();
  /** Number of the current series of replacements: an older series ends. */
  #series = 0;
  #replacing = false;
  readonly #delay = new Delay();
  /** The thread that a load started, instead of a scheduled replacement. */
  #started: WorkerThread | undefined;
  /** Exchanges that the last ended thread had in flight. */
  #lost = 0;
  #closing = false;
  /** close() was called: pending questions, such as a drain, end. */
  #closed = false;

  constructor(setup: WorkerSupervisorOptions) {
    this.#setup = setup;
    this.index = setup.options.worker ?? 0;
    this.#spawn();
    this.#watchdog = setInterval(() => this.#ping(), setup.lookEvery ?? LOOK_EVERY_MS).unref();
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** The thread serves or waits for its first generation; otherwise it is being replaced. */
  get ready(): boolean {
    return this.#worker !== undefined && !this.#replacing;
  }

  /** If the thread has crashed, a new one starts at once, with this generation. */
  async prepare(input: GenerationInput): Promise<readonly BoundListener[]> {
    if (!this.ready) await this.#restart();
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
    this.#targets.keepOnly(prepared.input);
    // If the thread has crashed meanwhile, its replacement loads `#wanted`.
    if (prepared.worker === this.#worker) this.#commit();
  }

  /** Resolves when the last commit is done, or its thread has ended. */
  get settled(): Promise<void> {
    return this.#settled;
  }

  #commit(): void {
    this.#settled = this.#ask({ call: 'commit' }).then(
      () => {},
      // It crashed: its replacement loads the same.
      () => {},
    );
  }

  abort(): void {
    const prepared = this.#prepared;
    this.#prepared = undefined;
    if (prepared && prepared.worker === this.#worker) this.#post({ call: 'abort' });
    // The thread may have been started for the load that is aborted.
    if (this.#started !== undefined && this.#started === this.#worker) {
      this.#started = undefined;
      void this.#replace(0);
    }
  }

  /** A generation went live while this worker is being replaced: the replacement loads it. */
  adopt(input: GenerationInput): void {
    this.#wanted = input;
    this.#targets.keepOnly(input);
    // The replacement became ready at that moment, with the previous generation.
    if (this.ready) void this.#replace(0);
  }

  watch(level: WatchLevel): void {
    this.#watch = level;
    this.#post({ call: 'watch', level });
  }

  publish(identity: string, value: Json): void {
    this.#post({ call: 'publish', identity, value });
  }

  /** Resolves when the thread uses them; a replacement begins with them. */
  async replaceConsumers(memory: ConsumerMemory): Promise<void> {
    this.#consumers = memory;
    // It crashed, or is being replaced: the next thread gets them with its generation.
    await this.#worker?.ask({ call: 'consumers', memory }).catch(() => {});
  }

  /** Resolves when the thread uses them; a replacement begins with them. */
  async updateTargets(update: TargetsUpdate): Promise<void> {
    this.#targets.note(update);
    await this.#worker?.ask({ call: 'targets', update }).catch(() => {});
  }

  /** Resolves when the thread uses them; a replacement begins with them. */
  async replaceCertificates(supplied: SuppliedCertificates): Promise<void> {
    this.#certificates = supplied;
    await this.#worker?.ask({ call: 'certificates', supplied }).catch(() => {});
  }

  /** A thread that is replaced has nothing to report; one that is busy reports later. */
  async report(): Promise<void> {
    if (this.ready) await within(this.#ask({ call: 'report' }), REPORT_WITHIN_MS).catch(() => {});
  }

  reopenLog(): void {
    this.#post({ call: 'reopen' });
  }

  async drain(timeoutMs: number): Promise<DrainReport> {
    // A replacement would bind the listeners again.
    this.#closing = true;
    if (!this.ready) {
      // The replacement may have bound its listeners already, and would accept clients without serving them.
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
      // A thread that does not answer does not drain: its exchanges are cut.
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
    // A thread that crashed meanwhile is closed too.
    await within(this.#ask({ call: 'close' }), ANSWER_WITHIN_MS).catch(() => {});
    // terminate() has no exit code of a thread that has already ended.
    const ended = worker.terminate().then(() => true);
    if (await within(ended, ANSWER_WITHIN_MS)) return;
    // It is blocked in a system call and ends when that returns: a name lookup may take minutes.
    this.#log('warn', 'has not ended yet', { cause: BLOCKED_THREAD });
    worker.rejectPending('The data-plane worker cannot be terminated.');
  }

  #spawn(): void {
    this.#worker = new WorkerThread(this.#setup, (thread, cause) => this.#exited(thread, cause));
    if (this.#watch !== 'off') this.#post({ call: 'watch', level: this.#watch });
    if (this.#certificates !== undefined) void this.replaceCertificates(this.#certificates);
  }

  #post(call: WorkerCall): void {
    this.#worker?.post(call);
  }

  #ask(question: Question): Promise<WorkerAnswer> {
    return this.#worker?.ask(question) ?? Promise.reject(new Error('The data-plane worker is not running.'));
  }

  async #prepare(input: GenerationInput): Promise<readonly BoundListener[]> {
    const answer = await this.#ask({ call: 'prepare', input: this.#withNewest(input) });
    if (answer.type !== 'prepared') throw new Error(`The worker answered \`${answer.type}\` to prepare.`);
    return answer.listeners;
  }

  /** Consumers and endpoints may have changed since the load. */
  #withNewest(given: GenerationInput): GenerationInput {
    const input = this.#targets.addTo(given);
    const newest = this.#consumers;
    if (newest === undefined || newest.version <= (input.consumers?.version ?? 0)) return input;
    return { ...input, consumers: newest };
  }

  #ping(): void {
    if (this.#closing) return;
    this.#worker?.ping((error) => this.#log('error', 'cannot be terminated', { cause: String(error) }));
  }

  #exited(worker: WorkerThread, cause: string): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const lost = this.#setup.died();
    this.#lost = lost;
    worker.rejectPending(`The data-plane worker died: ${cause}`);
    // A replacement that crashes during its load is logged and retried in #replace().
    if (this.#closing || this.#replacing) return;
    const wait = this.#backoff.next(performance.now() - worker.startedAt);
    this.#log('error', `died, ${nextIn(wait)}`, { lost, cause });
    void this.#replace(wait);
  }

  /** Cancels the scheduled replacement and starts a new thread without a generation. */
  async #restart(): Promise<void> {
    this.#series++;
    this.#delay.interrupt();
    await this.#end();
    this.#replacing = false;
    if (this.#closing) return;
    this.#spawn();
    this.#restarts++;
    this.#started = this.#worker;
  }

  /** Terminates the thread; resolves when it and any earlier one have ended. */
  async #end(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    worker?.rejectPending('The data-plane worker was replaced.');
    if (worker) this.#gone = this.#letGo(worker);
    await this.#gone;
  }

  async #letGo(worker: WorkerThread): Promise<void> {
    await worker.terminate();
    const lost = this.#setup.died();
    if (lost > 0) this.#log('error', 'terminated and replaced', { lost });
  }

  /** Retries until a worker serves the wanted generation, the host closes, or a newer series replaces this one. */
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

  /** Loads the wanted generation, also if it changes meanwhile. Rejects when the thread cannot load it, or crashes. */
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
    // In the same turn as the last check of `#wanted`: a later change loads it through adopt() or prepare().
    this.#replacing = false;
  }

  #log(level: 'info' | 'warn' | 'error', message: string, fields: Record<string, unknown>): void {
    this.#setup.events.log(level, `data-plane worker ${this.index} ${message}`, { worker: this.index, ...fields });
  }
}

const nextIn = (wait: number): string => `replacement starts ${wait === 0 ? 'at once' : `in ${wait} ms`}`;
