/** Policies that use every hook at random, and note what happened to them. */
import type {
  Awaitable,
  BodyStage,
  Exchange,
  ExchangeEnd,
  PolicyInstance,
  Reply,
  StageOut,
} from '../../src/policies/contract.js';
import { BytesReply } from '../../src/policies/run-kit.js';
import type { TestPolicy } from './test-policies.js';

export type Random = () => number;

/** What happened to the steps and stages of all exchanges. */
export class Journal {
  /** `step exchange` -> how often it was entered, and how often it finished. */
  readonly #steps = new Map<string, { entered: number; finished: number }>();
  readonly faults: string[] = [];
  entered = 0;
  stages = 0;
  openStages = 0;

  enter(step: string, { id }: Exchange): void {
    this.entered++;
    const key = `${step} ${id}`;
    const known = this.#steps.get(key);
    if (known !== undefined) this.faults.push(`${key} was entered twice`);
    this.#steps.set(key, { entered: 1, finished: 0 });
  }

  finish(step: string, { id }: Exchange, end: ExchangeEnd): void {
    const key = `${step} ${id}`;
    const known = this.#steps.get(key);
    if (known === undefined) this.faults.push(`${key} finished (${end}) but was not entered`);
    else if (++known.finished > 1) this.faults.push(`${key} finished ${known.finished} times`);
  }

  fault(text: string): void {
    this.faults.push(text);
  }

  /** Steps that were entered and have not finished. */
  get unfinished(): string[] {
    return [...this.#steps].filter(([, { finished }]) => finished === 0).map(([key]) => key);
  }
}

const later = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A stage that passes everything on, at once or later, and may fail. */
class ChaosStage implements BodyStage {
  readonly #out: StageOut;
  readonly #journal: Journal;
  readonly #random: Random;
  readonly #slow: boolean;
  #queue: Buffer[] = [];
  #inputEnded = false;
  #over = false;
  #working = false;

  constructor(out: StageOut, journal: Journal, random: Random) {
    this.#out = out;
    this.#journal = journal;
    this.#random = random;
    this.#slow = random() < 0.4;
    journal.stages++;
    journal.openStages++;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#over || this.#inputEnded) this.#journal.fault('write() after the end of a stage');
    if (this.#random() < 0.01) throw new Error('a stage fails');
    if (!this.#slow) return this.#out.write(bytes);
    this.#queue.push(Buffer.from(bytes));
    this.#out.onWritable(() => void this.#work());
    void this.#work();
    return false;
  }

  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    while (!this.#over && this.#queue.length > 0) {
      await later();
      const next = this.#queue.shift();
      if (!this.#over && next !== undefined) this.#out.write(next);
    }
    this.#working = false;
    if (this.#over) return;
    if (this.#inputEnded) this.#end();
    else this.#out.resume();
  }

  end(): void {
    if (this.#inputEnded) this.#journal.fault('a second end() of a stage');
    this.#inputEnded = true;
    if (!this.#slow || (this.#queue.length === 0 && !this.#working)) this.#end();
  }

  #end(): void {
    if (this.#over) return;
    this.#close();
    this.#out.end();
  }

  abort(): void {
    if (this.#over) this.#journal.fault('abort() of a stage that has ended');
    this.#close();
    this.#queue = [];
  }

  #close(): void {
    this.#over = true;
    this.#journal.openStages--;
  }
}

/** A policy with a random set of hooks, each of which passes, edits, waits, answers or throws at random. */
export function chaosPolicy(name: string, journal: Journal, random: Random): TestPolicy {
  const chance = (share: number): boolean => random() < share;
  const maybe = <T>(value: T): Awaitable<T> => (chance(0.3) ? later().then(() => value) : value);
  const fail = (): void => {
    if (chance(0.01)) throw new Error(`${name} fails`);
  };
  const answer = (): Reply =>
    new BytesReply(chance(0.5) ? 403 : 200, { body: 'x'.repeat(Math.floor(random() * 3000)) });
  const changed = (body: Uint8Array): Uint8Array | undefined => (chance(0.3) ? Buffer.from(body) : undefined);
  const authenticates = chance(0.3);
  const run: PolicyInstance = {
    before(exchange) {
      if (!authenticates) journal.enter(name, exchange);
      fail();
      return maybe(chance(0.03) ? answer() : undefined);
    },
    finished: (exchange, end) => journal.finish(name, exchange, end),
    ...(authenticates
      ? {
          // The first hook of the step.
          authenticate(exchange: Exchange) {
            journal.enter(name, exchange);
            return maybe({ outcome: 'identity' as const, why: 'chaos' });
          },
        }
      : {}),
    ...(chance(0.5)
      ? {
          after(_exchange: Exchange, reply: Reply) {
            fail();
            reply.headers.append('x-chaos', name);
            return maybe(chance(0.03) ? answer() : undefined);
          },
        }
      : {}),
    ...(chance(0.3)
      ? {
          onAttempt: (_exchange: Exchange, attempt) => {
            fail();
            attempt.set('x-attempt', String(attempt.number));
            if (chance(0.5)) attempt.repeatAfter401();
            return maybe(undefined);
          },
        }
      : {}),
    ...(chance(0.35)
      ? {
          onRequestBody: (_exchange: Exchange, body: Uint8Array) => {
            fail();
            return maybe(chance(0.03) ? answer() : changed(body));
          },
        }
      : {}),
    ...(chance(0.35)
      ? {
          onReplyBody: (_exchange: Exchange, _reply: Reply, body: Uint8Array) => {
            fail();
            return maybe(changed(body));
          },
        }
      : {}),
    ...(chance(0.3)
      ? { requestStage: (_exchange: Exchange, out: StageOut) => new ChaosStage(out, journal, random) }
      : {}),
    ...(chance(0.3)
      ? { replyStage: (_exchange: Exchange, _reply: Reply, out: StageOut) => new ChaosStage(out, journal, random) }
      : {}),
  };
  const mandatory = chance(0.3);
  const phases = [undefined, undefined, undefined, 'errors', 'fields', 'coding'] as const;
  const replyPhase = phases[Math.floor(random() * phases.length)];
  return {
    name,
    run,
    body: { request: { max: 200_000, mandatory }, reply: { max: 200_000, mandatory } },
    ...(replyPhase === undefined ? {} : { replyPhase }),
  };
}
