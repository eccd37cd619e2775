/** One duty while it runs: its schedule, its failures, its published value. */
import type { Json, PolicyEntry } from '../../bundle/types.js';
import { publishedValue } from '../../custom/published-value.js';
import { Backoff } from '../../delay.js';
import type { Clock, CreateDuty, DutyHost, DutyInstance } from '../../policies/contract.js';
import { type After, QUESTION_LIMITS, Questions } from '../../proxy/exchange/questions.js';
import { reasonOf } from '../../reason.js';
import type { DutySnapshot } from '../../telemetry/snapshot.js';
import type { Log } from '../log.js';
import type { DutyFetch } from './fetch.js';
import { RunFacts } from './run-facts.js';

/** Milliseconds after which a run that has not settled is abandoned. */
export const RUN_LIMIT_MS = 60_000;

/** Milliseconds between a failed run and the next one: the first wait, and the longest. */
const RETRY = { firstMs: 1000, maxMs: 60_000 } as const;
/** Milliseconds between two runs: the least, and the most that a timer can wait. */
const LEAST_WAIT = 1000;
const MOST_WAIT = 2 ** 31 - 1;

/** Of the questions of all workers; a worker waits longer than this. */
const LIMITS = { ...QUESTION_LIMITS, pending: 1024, timeout: 10_000 };

/** What all duties of a gateway use. */
export interface DutyWorld {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly after: After;
  readonly fetch: DutyFetch;
}

/** The instance of a duty and the signal that ends its work; a run that does not settle gets another one. */
interface Running {
  readonly instance: DutyInstance;
  readonly ending: AbortController;
}

export class Duty {
  readonly policy: Pick<PolicyEntry, 'name' | 'use' | 'identity' | 'stateIdentity' | 'settings'>;
  readonly #create: CreateDuty;
  readonly #world: DutyWorld;
  readonly #publish: (value: Json) => void;
  readonly #backoff = new Backoff(RETRY);
  readonly #questions: Questions;
  #running: Running;
  #last: Json | undefined;
  #cancel: () => void = () => {};
  #closed = false;
  /** Resolves with the end of the first run: undefined if it succeeded, else why it failed. */
  readonly first: Promise<string | undefined>;
  #firstDone: (cause: string | undefined) => void = () => {};
  readonly #facts = new RunFacts();

  /** Creates the instance; start() begins. Throws what the instance's constructor throws. `last`: the value to begin with. */
  constructor(
    policy: Duty['policy'],
    create: CreateDuty,
    world: DutyWorld,
    last: Json | undefined,
    publish: (value: Json) => void,
  ) {
    this.policy = policy;
    this.#create = create;
    this.#world = world;
    this.#last = last;
    this.#publish = publish;
    this.#questions = new Questions((question) => this.#answer(question), world.after, LIMITS);
    this.first = new Promise((resolve) => {
      this.#firstDone = resolve;
    });
    this.#running = this.#open();
  }

  /** What was published last. */
  get last(): Json | undefined {
    return this.#last;
  }

  get snapshot(): DutySnapshot {
    const { name, use } = this.policy;
    return { policy: name, use, ...this.#facts };
  }

  start(): void {
    this.#run();
  }

  /** The answer to a worker's question. Equal ones at the same time are asked once, whichever worker asks. */
  ask(question: Json): Promise<Json> {
    return this.#questions.ask(question);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancel();
    this.#facts.nextRun = null;
    this.#end();
    this.#firstDone('the duty was closed');
  }

  async #answer(question: Json): Promise<Json> {
    const { instance } = this.#running;
    if (this.#closed) throw new Error('the duty is closed');
    if (instance.ask === undefined) throw new Error(`the duty of ${this.policy.use} answers no questions`);
    return await instance.ask(question);
  }

  #open(): Running {
    const ending = new AbortController();
    return { instance: this.#create(this.policy.settings, this.#host(ending.signal)), ending };
  }

  /** Ends the instance: its requests are cancelled, and what it still publishes is ignored. */
  #end(): void {
    const { instance, ending } = this.#running;
    ending.abort();
    try {
      instance.close?.();
    } catch (error) {
      this.#log('warn', 'cannot close a duty', { cause: reasonOf(error) });
    }
  }

  #host(signal: AbortSignal): DutyHost {
    const { clock, random, fetch } = this.#world;
    const duty = this;
    return {
      name: this.policy.name,
      clock,
      random,
      logger: {
        debug: (message, fields) => duty.#log('debug', message, fields),
        info: (message, fields) => duty.#log('info', message, fields),
        warn: (message, fields) => duty.#log('warn', message, fields),
        error: (message, fields) => duty.#log('error', message, fields),
      },
      fetch: (url, options = {}) => fetch(url, options, signal),
      publish: (value) => {
        const checked = publishedValue(value);
        if (signal.aborted) return;
        duty.#last = checked;
        duty.#publish(checked);
      },
      get last() {
        return duty.#last;
      },
    };
  }

  #run(): void {
    this.#cancel();
    const facts = this.#facts;
    facts.active = true;
    facts.nextRun = null;
    facts.runs++;
    const { instance } = this.#running;
    let settled = false;
    const once =
      <T extends readonly unknown[]>(then: (...value: T) => void) =>
      (...value: T): void => {
        if (settled || this.#closed) return;
        settled = true;
        facts.active = false;
        this.#cancel();
        then(...value);
      };
    const stuck = once(() => this.#stuck());
    const succeeded = once((next: number | undefined) => this.#succeeded(next));
    const failed = once((error: unknown) => this.#failed(reasonOf(error)));
    this.#cancel = this.#world.after(RUN_LIMIT_MS, stuck);
    Promise.resolve()
      .then(() => instance.run())
      .then(succeeded, failed);
  }

  #succeeded(next: number | undefined): void {
    if (this.#facts.succeeded(this.#world.clock.now())) this.#log('info', 'duty succeeds again');
    this.#backoff.reset();
    this.#firstDone(undefined);
    // A value that is not a number is a fault of the policy: it waits as long as after a failure.
    if (next !== undefined) this.#schedule(Number.isNaN(next) ? RETRY.maxMs : next);
  }

  #failed(cause: string): void {
    this.#facts.failed(this.#world.clock.now(), cause);
    const wait = this.#backoff.next();
    this.#log('warn', 'duty failed', { cause, retryMs: wait });
    this.#firstDone(cause);
    this.#schedule(wait);
  }

  /** The run may never settle: another instance takes over. */
  #stuck(): void {
    this.#end();
    try {
      this.#running = this.#open();
    } catch (error) {
      this.#log('error', 'cannot restart a duty', { cause: reasonOf(error) });
    }
    this.#failed(`not finished within ${RUN_LIMIT_MS} ms`);
  }

  #schedule(ms: number): void {
    const wait = Math.min(Math.max(ms, LEAST_WAIT), MOST_WAIT);
    this.#facts.nextRun = this.#world.clock.now() + wait;
    this.#cancel = this.#world.after(wait, () => this.#run());
  }

  #log(level: 'debug' | 'info' | 'warn' | 'error', message: string, fields: { readonly [key: string]: unknown } = {}) {
    this.#world.log[level](message, { policy: this.policy.name, ...fields });
  }
}
