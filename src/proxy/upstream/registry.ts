/** All targets of a data plane, by what they are: pools and health live on across generations. */
import type { ServiceEntry } from '../../bundle/types.js';
import type { StatsSlots } from '../types.js';
import { Service } from './service.js';
import { Target } from './target.js';
import type { TargetHost } from './target-host.js';

export class TargetRegistry {
  readonly #host: TargetHost;
  /** Those that the live generation names. */
  #targets = new Map<string, Target>();
  /** Others that exchanges of older generations are on. */
  readonly #leaving = new Set<Target>();

  constructor(host: TargetHost) {
    this.#host = host;
  }

  /**
   * The services of a generation to be; nothing that is live changes yet. `sharers`: data planes among which the bounds
   * of a target are divided. Throws for a target that is no URL.
   */
  prepare(plans: readonly ServiceEntry[], slots: StatsSlots, sharers = 1): PreparedServices {
    const targets = new Map<string, Target>();
    const services = plans.map((entry, index) => {
      const own = entry.targets.map((target, at) => {
        const url = plainText(target.url);
        const key = keyOf(entry.name, url);
        const slot = slots.targets[index]?.[at] ?? slots.unmatched;
        const known = targets.get(key) ?? this.#targets.get(key) ?? this.#leaver(key) ?? this.#make(url, entry, slot);
        targets.set(key, known);
        return { target: known, weight: target.weight, slot };
      });
      return { entry, own };
    });
    return { targets, services, sharers };
  }

  #make(url: string, entry: ServiceEntry, slot: number): Target {
    const target = new Target(url, entry, slot, this.#host);
    target.onUsedAgain = () => this.#leaving.add(target);
    return target;
  }

  #leaver(key: string): Target | undefined {
    for (const target of this.#leaving) if (keyOf(target.service, target.url) === key) return target;
    return undefined;
  }

  /** From now on these are the live ones. Targets that they do not name retire. */
  adopt(prepared: PreparedServices): readonly Service[] {
    const before = this.#targets;
    this.#targets = new Map(prepared.targets);
    for (const [key, target] of before) {
      if (prepared.targets.has(key)) continue;
      target.retire();
      // Exchanges of older generations may still be on it: it is swept until it is empty.
      if (!target.finished) this.#leaving.add(target);
    }
    for (const target of prepared.targets.values()) this.#leaving.delete(target);
    let most = 0;
    const services = prepared.services.map(({ entry, own }) => {
      for (const { target, weight, slot } of own) {
        target.revive();
        target.configure(entry, prepared.sharers);
        target.weight = weight;
        target.slot = slot;
        most += Math.ceil(entry.maxConnections / prepared.sharers);
      }
      return new Service(
        entry,
        own.map(({ target }) => target),
      );
    });
    this.#host.descriptors.forTargets = most;
    return services;
  }

  sweep(now: number): void {
    for (const target of this.#targets.values()) target.sweep(now);
    for (const target of this.#leaving) {
      target.sweep(now);
      if (target.finished) this.#leaving.delete(target);
    }
  }

  /** Lets go of connections that nobody uses. */
  shrink(): void {
    for (const target of this.#targets.values()) target.shrink();
  }

  close(): void {
    for (const target of [...this.#targets.values(), ...this.#leaving]) target.close();
    this.#targets.clear();
    this.#leaving.clear();
  }
}

const keyOf = (service: string, url: string): string => `${service}|${url}`;

export interface PreparedServices {
  readonly targets: ReadonlyMap<string, Target>;
  readonly sharers: number;
  readonly services: readonly {
    readonly entry: ServiceEntry;
    readonly own: readonly { readonly target: Target; readonly weight: number; readonly slot: number }[];
  }[];
}

/** References are resolved before a program comes here; what still is one cannot be used. */
export function plainText(value: string | { readonly $ref: string }): string {
  if (typeof value === 'string') return value;
  throw new TypeError(`An unresolved reference in the program: ${value.$ref}`);
}
