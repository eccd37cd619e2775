/** One source while it is used: its runs, its failures, what it said last. */
import type { DiscoverEntry } from '../../../bundle/service/discover.js';
import { Backoff } from '../../../delay.js';
import type { Clock } from '../../../policies/contract.js';
import type { After } from '../../../proxy/exchange/questions.js';
import { reasonOf } from '../../../reason.js';
import type { DutySnapshot } from '../../../telemetry/snapshot.js';
import { RunFacts } from '../../duties/run-facts.js';
import type { Log } from '../../log.js';
import type { Lookups } from '../names/lookups.js';
import type { SuppliedTarget, Supply } from '../names/supply.js';
import { checked, type FoundTarget, permits } from './check.js';
import { type CreateSource, sourceText, type TargetSource } from './source.js';

/** Milliseconds between two runs, at least. */
const LEAST_WAIT = 50;
/** Milliseconds from a failed run to the next one: at first, and at most. */
const RETRY = { firstMs: 1000, maxMs: 30_000 } as const;

export interface SourceWorld {
  readonly lookups: Lookups;
  readonly clock: Clock;
  readonly after: After;
  readonly random: () => number;
  readonly log: Log;
  readonly env: { readonly [name: string]: string | undefined };
}

export interface SourceSetup {
  readonly entry: DiscoverEntry;
  readonly create: CreateSource;
  /** The source is on this machine, so it may name addresses of it. */
  readonly local: boolean;
  readonly root: string;
  readonly refresh: number;
  /** What it said when gw ran before; undefined: not known. */
  readonly last: readonly SuppliedTarget[] | undefined;
  readonly supply: (supply: Supply) => void;
}

export class SourceRun {
  readonly #setup: SourceSetup;
  readonly #world: SourceWorld;
  readonly #source: TargetSource;
  readonly #ending = new AbortController();
  readonly #facts = new RunFacts();
  readonly #backoff = new Backoff(RETRY);
  #said: string | undefined;
  #cancel: () => void = () => {};
  /** Resolves when it has said something, or has failed, for the first time. */
  readonly first: Promise<void>;
  #firstDone = (): void => {};

  /** Begins at once. */
  constructor(setup: SourceSetup, world: SourceWorld) {
    this.#setup = setup;
    this.#world = world;
    this.first = new Promise((resolve) => {
      this.#firstDone = resolve;
    });
    const { entry, create, root, refresh, last } = setup;
    const { lookups, env } = world;
    const host = { signal: this.#ending.signal, lookups, env, root, refresh };
    this.#source = create(entry, { ...host, supply: (found) => this.#take(found) });
    // Also of the last run: the rules for addresses may have changed since.
    if (last !== undefined) this.#give(checked(last, setup.local).targets);
    this.#run();
  }

  get snapshot(): DutySnapshot {
    return { policy: sourceText(this.#setup.entry), use: 'discover', ...this.#facts };
  }

  close(): void {
    this.#ending.abort();
    this.#cancel();
    this.#firstDone();
  }

  #run(): void {
    const facts = this.#facts;
    facts.active = true;
    facts.nextRun = null;
    facts.runs++;
    Promise.resolve()
      .then(() => this.#source.run())
      .then(
        (wait) => {
          if (this.#ending.signal.aborted) return;
          this.#succeeded();
          this.#schedule(Math.max(LEAST_WAIT, wait));
        },
        (error: unknown) => {
          if (!this.#ending.signal.aborted) this.#failed(reasonOf(error));
        },
      );
  }

  #succeeded(): void {
    const { clock, log } = this.#world;
    if (this.#facts.succeeded(clock.now()))
      log.info('source of targets answers again', { source: sourceText(this.#setup.entry) });
    this.#backoff.reset();
    this.#firstDone();
  }

  #failed(cause: string): void {
    const { clock, log } = this.#world;
    const wait = this.#backoff.next();
    const source = sourceText(this.#setup.entry);
    if (!this.#facts.failed(clock.now(), cause))
      log.warn('source of targets failed', { source, cause, keeps: this.#said !== undefined, retryMs: wait });
    if (this.#said === undefined) this.#setup.supply({ targets: [], cause: `${source}: ${cause}` });
    this.#firstDone();
    this.#schedule(wait);
  }

  #schedule(ms: number): void {
    this.#facts.active = false;
    const wait = Math.round(ms * (1 + this.#world.random() / 10));
    this.#facts.nextRun = this.#world.clock.now() + wait;
    this.#cancel = this.#world.after(wait, () => this.#run());
  }

  #take(found: readonly FoundTarget[]): void {
    if (this.#ending.signal.aborted) return;
    const { entry, local } = this.#setup;
    const { targets, refused } = checked(found, local);
    if (refused > 0) {
      const fields = { source: sourceText(entry), refused, used: targets.length };
      this.#world.log.warn('source names targets that cannot be used', fields);
    }
    this.#succeeded();
    this.#give(targets);
  }

  #give(targets: readonly SuppliedTarget[]): void {
    const said = JSON.stringify(targets);
    if (said === this.#said) return;
    this.#said = said;
    const { entry, local, supply } = this.#setup;
    const cause = `${sourceText(entry)} has no targets`;
    supply({ targets, permits: (address) => permits(address, local), ...(targets.length === 0 ? { cause } : {}) });
  }
}
