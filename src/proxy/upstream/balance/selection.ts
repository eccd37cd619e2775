/**
 * Chooses the target of a request: first a group of targets (priority, own zone or others), then a target in it by the service's
 * algorithm. Built for one list of targets.
 *
 *     priority 0, own zone -> priority 0, other zones -> priority 1, own zone -> ...
 *
 * A group gets all of the traffic that reaches it while enough of its weight is available, and passes on what it cannot take.
 */
import type { BalanceEntry } from '../../../bundle/service/balance.js';
import type { BalancedRequest, Balancer, Candidate } from './candidate.js';
import { ConsistentHash } from './hash.js';
import { LeastRequest, PeakEwma, Random } from './random.js';
import { RoundRobin } from './round-robin.js';

/** A group counts as whole while 1 / SPARE of its weight is available: targets have some capacity to spare. */
export const SPARE = 1.4;
/** Milliseconds after which the shares of the groups are computed again. */
export const RECHECK = 100;

export interface SelectionSettings {
  /** Undefined: round robin. */
  readonly balance: BalanceEntry | undefined;
  /** Of this gateway; '' for none. */
  readonly zone: string;
  /** Milliseconds; 0: none. */
  readonly slowStart: number;
}

interface Group<C extends Candidate> {
  readonly priority: number;
  /** Its targets are in the zone of this gateway. */
  readonly own: boolean;
  readonly targets: readonly C[];
  readonly weight: number;
  readonly balancer: Balancer<C>;
  /** Share of the traffic, 0 to 1. */
  share: number;
}

export class Selection<C extends Candidate> {
  readonly #targets: readonly C[];
  readonly #groups: readonly Group<C>[];
  readonly #random: () => number;
  readonly #slowStart: number;
  /** Something is to be looked at from time to time. */
  readonly #watched: boolean;
  #recheckAt = Number.NEGATIVE_INFINITY;
  #last: Group<C> | undefined = undefined;

  constructor(targets: readonly C[], settings: SelectionSettings, random: () => number) {
    this.#targets = targets;
    this.#random = random;
    this.#slowStart = settings.slowStart;
    this.#groups = groupsOf(targets, settings, random);
    this.#watched = this.#groups.length > 1 || settings.slowStart > 0;
  }

  /** Undefined without targets. A target that may fail is better than a certain 503, so one is taken in any case. */
  pick(request: BalancedRequest): C | undefined {
    if (this.#watched && request.since >= this.#recheckAt) this.#recheck(request.since);
    return this.#choose(request) ?? this.#anywhere(request, true) ?? this.#anywhere(request, false) ?? this.#again();
  }

  /** How the last target was chosen, for people. */
  get why(): string {
    const group = this.#last ?? this.#groups[0];
    if (group === undefined) return 'no target';
    const { balancer, own, priority, targets } = group;
    const place = this.#groups.length === 1 ? '' : `, priority ${priority}${own ? ', own zone' : ''}`;
    return `${balancer.name}, targets: ${targets.length}${place}`;
  }

  #choose(request: BalancedRequest): C | undefined {
    const groups = this.#groups;
    let group = groups[0];
    if (groups.length > 1) {
      let place = groups[0]!.balancer.place(request);
      for (let i = 0; i < groups.length && place >= 0; i++) {
        group = groups[i]!;
        place -= group.share;
      }
    }
    this.#last = group;
    return group?.balancer.pick(request, true);
  }

  #anywhere(request: BalancedRequest, healthy: boolean): C | undefined {
    for (const group of this.#groups) {
      const target = group.balancer.pick(request, healthy);
      this.#last = group;
      if (target !== undefined) return target;
    }
    return undefined;
  }

  /** The request has tried all targets, or none has a weight. */
  #again(): C | undefined {
    const targets = this.#targets;
    return targets[Math.floor(this.#random() * targets.length)];
  }

  #recheck(now: number): void {
    this.#recheckAt = now + RECHECK;
    if (this.#slowStart > 0) for (const target of this.#targets) noteReturn(target, now);
    if (this.#groups.length > 1) shareOut(this.#groups);
  }
}

/** A target that was not fit and is again begins slowly. */
function noteReturn({ health, load }: Candidate, now: number): void {
  if (health.fit && load.wasDown) load.came(now);
  load.wasDown = !health.fit;
}

function groupsOf<C extends Candidate>(
  targets: readonly C[],
  { balance, zone }: SelectionSettings,
  random: () => number,
): readonly Group<C>[] {
  const lists = new Map<string, C[]>();
  for (const target of targets) {
    if (target.weight <= 0) continue;
    // Without a zone of its own, the gateway treats all targets alike.
    const key = `${target.priority} ${zone === '' || target.zone === zone ? 'own' : 'other'}`;
    const list = lists.get(key);
    if (list === undefined) lists.set(key, [target]);
    else list.push(target);
  }
  const groups = [...lists.values()].map((list) => ({
    priority: list[0]!.priority,
    own: zone !== '' && list[0]!.zone === zone,
    targets: list,
    weight: list.reduce((sum, { weight }) => sum + weight, 0),
    balancer: balancerOf(balance, list, random),
    share: 0,
  }));
  return groups.sort((a, b) => a.priority - b.priority || Number(b.own) - Number(a.own));
}

function balancerOf<C extends Candidate>(
  balance: BalanceEntry | undefined,
  targets: readonly C[],
  random: () => number,
): Balancer<C> {
  switch (balance?.kind) {
    case 'least-request':
      return new LeastRequest(targets, random);
    case 'ewma':
      return new PeakEwma(targets, random);
    case 'random':
      return new Random(targets, random);
    case 'hash': {
      const { keys = [], maxLoad } = balance;
      return new ConsistentHash(targets, { keys, maxLoad }, new RoundRobin(targets, random));
    }
    default:
      return new RoundRobin(targets, random);
  }
}

/**
 * Sets the shares of the groups. A priority takes SPARE times its available part of what is left, at most all of it. If something is
 * left in the end, all that is available takes it in proportion. Nothing is available: the first group gets everything.
 */
function shareOut(groups: readonly Group<Candidate>[]): void {
  let left = 1;
  for (let first = 0; first < groups.length; ) {
    const own = groups[first]!;
    const other = groups[first + 1]?.priority === own.priority ? groups[first + 1] : undefined;
    const [ownWeight, otherWeight] = [availableOf(own), other === undefined ? 0 : availableOf(other)];
    const level = Math.min(left, SPARE * ((ownWeight + otherWeight) / (own.weight + (other?.weight ?? 0))));
    own.share = otherWeight === 0 ? level : level * Math.min(1, (SPARE * ownWeight) / own.weight);
    if (other !== undefined) other.share = level - own.share;
    left -= level;
    first += other === undefined ? 1 : 2;
  }
  const taken = 1 - left;
  if (taken <= 0) groups[0]!.share = 1;
  else if (left > 0) for (const group of groups) group.share /= taken;
}

const availableOf = ({ targets }: Group<Candidate>): number =>
  targets.reduce((sum, { health, weight }) => sum + (health.fit ? weight : 0), 0);
