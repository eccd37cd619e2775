/** All targets of a data plane, by service and URL: their pools and health live across generations. */
import { resolvedText } from '../../bundle/references.js';
import type { ServiceEntry } from '../../bundle/types.js';
import type { SlotAssignment } from '../../telemetry/stats/registry.js';
import { ServiceHealth } from './health/service.js';
import { Service } from './service.js';
import { Target } from './target.js';
import type { TargetHost } from './target-host.js';
import { tlsKey } from './tls.js';

export class TargetRegistry {
  readonly #host: TargetHost;
  /** Targets of the live generation. */
  #targets = new Map<string, Target>();
  /** Retired targets that exchanges of older generations still use. */
  readonly #leaving = new Set<Target>();
  /** By service. */
  #health = new Map<string, ServiceHealth>();

  constructor(host: TargetHost) {
    this.#host = host;
  }

  /**
   * Prepares the services of a new generation, without a change to live targets. `sharers`: data planes among which the bounds
   * of a target are divided. Throws for an invalid target URL.
   */
  prepare(plans: readonly ServiceEntry[], slots: SlotAssignment, sharers = 1): PreparedServices {
    const targets = new Map<string, Target>();
    const services = plans.map((entry, index) => {
      const tls = tlsKey(entry.tls);
      const own = entry.targets.map((target, at) => {
        const url = resolvedText(target.url);
        const key = keyOf(entry.name, url, tls);
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
    for (const target of this.#leaving) if (keyOf(target.service, target.url, target.tlsKey) === key) return target;
    return undefined;
  }

  /** Makes prepared services live. Targets that they do not name retire. */
  adopt(prepared: PreparedServices): readonly Service[] {
    const before = this.#targets;
    this.#targets = new Map(prepared.targets);
    for (const [key, target] of before) {
      if (prepared.targets.has(key)) continue;
      target.retire();
      // Exchanges of older generations may still use it: it is swept until it is empty.
      if (!target.finished) this.#leaving.add(target);
    }
    for (const target of prepared.targets.values()) this.#leaving.delete(target);
    let most = 0;
    const health = this.#health;
    this.#health = new Map();
    const services = prepared.services.map(({ entry, own }) => {
      for (const { target, weight, slot } of own) {
        target.revive();
        target.configure(entry, prepared.sharers);
        target.weight = weight;
        target.slot = slot;
        most += Math.ceil(entry.maxConnections / prepared.sharers);
      }
      const together = health.get(entry.name) ?? new ServiceHealth(entry.name, this.#host);
      this.#health.set(entry.name, together);
      together.use(
        own.map(({ target }) => target.health),
        entry,
      );
      return new Service(
        entry,
        own.map(({ target }) => target),
      );
    });
    this.#host.descriptors.forTargets = most;
    return services;
  }

  sweep(now: number): void {
    for (const health of this.#health.values()) health.sweep(now);
    for (const target of this.#targets.values()) target.pool.sweep(now);
    for (const target of this.#leaving) {
      target.pool.sweep(now);
      if (target.finished) this.#leaving.delete(target);
    }
  }

  /** Memory is low: closes idle connections. */
  shrink(): void {
    for (const target of this.#targets.values()) target.pool.shrink();
  }

  close(): void {
    for (const target of [...this.#targets.values(), ...this.#leaving]) target.close();
    this.#targets.clear();
    this.#leaving.clear();
  }
}

const keyOf = (service: string, url: string, tls: string): string => `${service}|${url}|${tls}`;

export interface PreparedServices {
  readonly targets: ReadonlyMap<string, Target>;
  readonly sharers: number;
  readonly services: readonly {
    readonly entry: ServiceEntry;
    readonly own: readonly { readonly target: Target; readonly weight: number; readonly slot: number }[];
  }[];
}
