/**
 * Consistent hash: a key goes to the target with the highest score for it (weighted rendezvous hashing). A target that joins takes
 * over its share of the keys and no other moves; the keys of one that leaves spread over all others. Nothing is built for that, so
 * targets can change at any time. docs/adr/0029-rendezvous-hash.md compares it with rings and tables.
 */
import type { HashKeyEntry } from '../../../bundle/service/balance.js';
import { type BalancedRequest, type Balancer, type Candidate, fits } from './candidate.js';

/** Spreads the bits of a number (the finalizer of MurmurHash3). */
function mix(value: number): number {
  let bits = value;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}

/** 32 bits of a text (FNV-1a, mixed). The same in every worker and gateway. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix(hash);
}

/** The score of a target for a key, 0 to 2^32 - 1. */
const scoreOf = (key: number, seed: number): number => mix(Math.imul(key ^ seed, 0x9e3779b1) + seed) >>> 0;

/** As a number between 0 and 1, both exclusive. */
const unit = (bits: number): number => ((bits >>> 0) + 0.5) / 0x1_0000_0000;

/** For keys of groups and of slow starts, which must not depend on the scores. */
const PLACE = 0x2545f491;

export interface HashSettings {
  readonly keys: readonly HashKeyEntry[];
  /** Most requests in progress of one target, as a multiple of its share; undefined: no limit. */
  readonly maxLoad: number | undefined;
}

export class ConsistentHash<C extends Candidate> implements Balancer<C> {
  readonly name: string;
  readonly #targets: readonly C[];
  readonly #seeds: Int32Array;
  readonly #equal: boolean;
  readonly #settings: HashSettings;
  /** For requests without a key. */
  readonly #keyless: Balancer<C>;

  constructor(targets: readonly C[], settings: HashSettings, keyless: Balancer<C>) {
    this.#targets = targets;
    this.#seeds = Int32Array.from(targets, ({ identity }) => hashText(identity));
    this.#equal = targets.every(({ weight }) => weight === targets[0]!.weight);
    this.#settings = settings;
    this.#keyless = keyless;
    this.name = `consistent hash of ${settings.keys.map(keyText).join(' or ')}`;
  }

  pick(request: BalancedRequest, healthy: boolean): C | undefined {
    const value = this.#valueOf(request);
    if (value === undefined) return this.#keyless.pick(request, healthy);
    const key = hashText(value);
    const most =
      this.#settings.maxLoad === undefined ? Number.POSITIVE_INFINITY : this.#mostPerWeight(request, healthy);
    return this.#best(key, request, healthy, most, true) ?? this.#best(key, request, healthy, most, false);
  }

  place(request: BalancedRequest): number {
    const value = this.#valueOf(request);
    return value === undefined ? this.#keyless.place(request) : unit(mix(hashText(value) ^ PLACE));
  }

  #valueOf(request: BalancedRequest): string | undefined {
    for (const key of this.#settings.keys) {
      const value = request.hashValue(key);
      if (value !== undefined && value !== '') return value;
    }
    return undefined;
  }

  /** Requests in progress for each unit of weight, above which a target gets no more. */
  #mostPerWeight(request: BalancedRequest, healthy: boolean): number {
    let inFlight = 1;
    let weight = 0;
    for (const target of this.#targets) {
      if (!fits(target, request, healthy)) continue;
      inFlight += target.load.inFlight;
      weight += target.weight;
    }
    return (this.#settings.maxLoad! * inFlight) / weight;
  }

  /**
   * With equal weights the highest score; otherwise the lowest -ln(score)/weight, by which each target wins its share. `ramped`: a
   * target that has just come takes part for a share of the keys that grows.
   */
  #best(key: number, request: BalancedRequest, healthy: boolean, most: number, ramped: boolean): C | undefined {
    const targets = this.#targets;
    const equal = this.#equal;
    let best: C | undefined;
    let lowest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < targets.length; i++) {
      const target = targets[i]!;
      const seed = this.#seeds[i]!;
      const missing = 1 - unit(scoreOf(key, seed));
      // -ln(1 - x) >= x: most targets need no logarithm.
      if ((equal ? missing : missing / target.weight) >= lowest) continue;
      const distance = equal ? missing : -Math.log1p(-missing) / target.weight;
      if (distance >= lowest || !fits(target, request, healthy)) continue;
      const { load } = target;
      // Rounded up, so that a request in progress more than the share is no excess.
      if (load.inFlight >= Math.ceil(most * target.weight)) continue;
      if (ramped && load.slowStart > 0 && unit(mix(key ^ seed ^ PLACE)) >= load.ramp(request.since)) continue;
      lowest = distance;
      best = target;
    }
    return best;
  }
}

const keyText = ({ from, name }: HashKeyEntry): string => (name === '' ? from : `${from} ${name}`);
