/** What each consumer did since the gateway started, from the counts of all workers. */
import { addReason, type CallerCount } from '../telemetry/callers.js';
import { RATE_SECONDS } from '../telemetry/snapshot.js';

/** Consumers that are remembered; the one that was seen longest ago is forgotten. */
const MOST = 10_000;

/** What one consumer did. */
export class Caller {
  requests = 0;
  /** Milliseconds since 1970. */
  lastSeen = 0;
  readonly refused: { [code: string]: number } = {};
  /** Requests of the last seconds; the second of the newest one. */
  readonly #seconds = new Uint32Array(RATE_SECONDS + 1);
  #second = 0;

  add({ requests, lastSeen, refused }: CallerCount): void {
    this.requests += requests;
    this.lastSeen = Math.max(this.lastSeen, lastSeen);
    for (const code of Object.keys(refused)) addReason(this.refused, code, refused[code]!);
    const second = Math.floor(lastSeen / 1000);
    this.#advance(second);
    if (second > this.#second - this.#seconds.length) this.#seconds[second % this.#seconds.length]! += requests;
  }

  /** Mean over the last whole seconds before `now`. */
  rate(now: number): number {
    const current = Math.floor(now / 1000);
    let sum = 0;
    for (let second = current - RATE_SECONDS; second < current; second++)
      if (second > this.#second - this.#seconds.length && second <= this.#second)
        sum += this.#seconds[second % this.#seconds.length]!;
    return sum / RATE_SECONDS;
  }

  #advance(second: number): void {
    const steps = Math.min(second - this.#second, this.#seconds.length);
    for (let step = 1; step <= steps; step++) this.#seconds[(this.#second + step) % this.#seconds.length] = 0;
    if (steps >= this.#seconds.length) this.#seconds.fill(0);
    if (steps > 0) this.#second = second;
  }
}

export class Callers {
  /** The one that was seen last is the last one. */
  readonly #known = new Map<string, Caller>();
  /** Requests whose caller no policy identified. */
  readonly unknown = new Caller();

  note(counts: readonly CallerCount[]): void {
    for (const count of counts) {
      if (count.consumer === null) this.unknown.add(count);
      else this.#callerOf(count.consumer).add(count);
    }
    for (const name of this.#known.keys()) {
      if (this.#known.size <= MOST) return;
      this.#known.delete(name);
    }
  }

  #callerOf(name: string): Caller {
    const caller = this.#known.get(name) ?? new Caller();
    this.#known.delete(name);
    this.#known.set(name, caller);
    return caller;
  }

  of(name: string): Caller | undefined {
    return this.#known.get(name);
  }

  /** Names, the one that was seen last first. */
  names(): string[] {
    return [...this.#known.keys()].reverse();
  }
}
