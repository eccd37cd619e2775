/** All targets of a data plane, by service, URL and address: their pools and health live across generations. */
import type { ServiceEntry } from '../../bundle/types.js';
import { reasonOf } from '../../reason.js';
import type { SlotAssignment } from '../../telemetry/stats/registry.js';
import { Sticky } from './balance/sticky.js';
import { type Endpoint, programEndpoints, type ServiceEndpoints } from './endpoints.js';
import { Service } from './service.js';
import { ServiceState, type StateHost } from './service-state.js';
import { Target } from './target.js';
import type { TargetHost } from './target-host.js';
import { tlsKey } from './tls.js';
import type { StartFailure } from './waiting-room.js';

export class TargetRegistry {
  readonly #host: TargetHost & StateHost;
  /** Targets of the live generation. */
  #targets = new Map<string, Target>();
  /** Retired targets that exchanges still use, with their keys. */
  readonly #leaving = new Map<Target, string>();
  /** By service. */
  #states = new Map<string, ServiceState>();
  /** Services of the live generation and of older ones with exchanges in flight. */
  readonly #services = new Set<Service>();
  #live: readonly Service[] = [];
  /** The newest endpoints of each service that were not part of a load. */
  readonly #newest = new Map<string, ServiceEndpoints>();
  #sharers = 1;
  readonly #prefixes = new WeakMap<ServiceEntry, string>();

  constructor(host: TargetHost & StateHost) {
    this.#host = host;
  }

  /**
   * Prepares the services of a new generation, without a change to live targets. `sharers`: data planes among which the bounds
   * of a target are divided. `known`: the endpoints by service; for others, the targets of the program. Throws for an invalid
   * target URL or key.
   */
  prepare(
    plans: readonly ServiceEntry[],
    slots: SlotAssignment,
    sharers = 1,
    known?: ReadonlyMap<string, ServiceEndpoints>,
  ): PreparedServices {
    const made = new Map<string, Target>();
    const services = plans.map((entry, index) => {
      const endpoints = known?.get(entry.name) ?? programEndpoints(entry, slots.targets[index], slots.unmatched);
      for (const endpoint of endpoints.endpoints) this.#target(entry, endpoint, made);
      const sticky = entry.sticky && new Sticky<Target>(entry.name, entry.sticky, () => this.#host.now());
      return { entry, endpoints, sticky, slot: slots.services?.[index] };
    });
    return { made, services, sharers };
  }

  /** The target of an endpoint: a known one, or one of `made`, to which a new one is added. */
  #target(entry: ServiceEntry, endpoint: Endpoint, made: Map<string, Target>): Target {
    const key = this.#key(entry, endpoint);
    const known = this.#targets.get(key) ?? this.#leaver(key) ?? made.get(key);
    if (known !== undefined) return known;
    const target = new Target(endpoint, entry, this.#host);
    target.onUsedAgain = () => this.#leaving.set(target, key);
    made.set(key, target);
    return target;
  }

  #leaver(key: string): Target | undefined {
    for (const [target, its] of this.#leaving) if (its === key) return target;
    return undefined;
  }

  #key(entry: ServiceEntry, { url, address = '' }: Pick<Target, 'url' | 'address'> | Endpoint): string {
    let prefix = this.#prefixes.get(entry);
    if (prefix === undefined) {
      prefix = `${entry.name}|${tlsKey(entry.tls)}|${entry.http2 === undefined ? '' : 'h2'}`;
      this.#prefixes.set(entry, prefix);
    }
    return `${prefix}|${url}|${address}`;
  }

  /** Makes prepared services live. Targets that they do not have retire. */
  adopt({ services, sharers, made }: PreparedServices): readonly Service[] {
    this.#sharers = sharers;
    const random = (): number => this.#host.random();
    this.#live = services.map(({ entry, endpoints, sticky, slot }) => {
      const newest = this.#newest.get(entry.name);
      const used = newest !== undefined && newest.version > endpoints.version ? newest : endpoints;
      const state = this.#state(entry.name);
      const service = new Service(entry, state, random, () => this.#services.delete(service), sticky);
      state.room.configure(entry, sharers, slot);
      state.room.fail(startFailure(used));
      // Requests of older generations may wait for the first target.
      this.#services.add(service);
      for (const one of this.#services)
        if (one.entry.name === entry.name && one.targets.length === 0)
          one.use(this.#targetsOf(one.entry, used, made), used.cause);
      return service;
    });
    const names = new Set(services.map(({ entry }) => entry.name));
    // What control has sent for services that are gone.
    for (const name of this.#newest.keys()) if (!names.has(name)) this.#newest.delete(name);
    this.#settle();
    return this.#live;
  }

  #state(service: string): ServiceState {
    return this.#states.get(service) ?? new ServiceState(service, this.#host);
  }

  /** Applies changes to all generations. Older versions than those in use are ignored. */
  update(changes: readonly ServiceEndpoints[]): void {
    const made = new Map<string, Target>();
    for (const change of changes) {
      const before = this.#newest.get(change.service);
      if (before !== undefined && before.version >= change.version) continue;
      this.#newest.set(change.service, change);
      for (const service of this.#services)
        if (service.entry.name === change.service)
          service.use(this.#targetsOf(service.entry, change, made), change.cause);
      this.#states.get(change.service)?.room.fail(startFailure(change));
    }
    this.#settle();
  }

  /** The targets for endpoints, known ones and new ones. One that cannot be made is left out. */
  #targetsOf(entry: ServiceEntry, { endpoints }: ServiceEndpoints, made: Map<string, Target>): readonly Target[] {
    const targets: Target[] = [];
    for (const endpoint of endpoints) {
      try {
        const target = this.#target(entry, endpoint, made);
        target.adopt(endpoint);
        targets.push(target);
      } catch (error) {
        const fields = { service: entry.name, target: endpoint.url, cause: reasonOf(error) };
        this.#host.log('error', 'target cannot be used', fields);
      }
    }
    return targets;
  }

  /** Revives the targets of the live services, and retires all others. */
  #settle(): void {
    const before = this.#targets;
    this.#targets = new Map();
    let most = 0;
    const states = new Map<string, ServiceState>();
    const now = this.#host.monotonic();
    for (const { entry, state, targets } of this.#live) {
      const joins = targets.some((target) => before.get(this.#key(entry, target)) === target);
      for (const target of targets) {
        const key = this.#key(entry, target);
        this.#targets.set(key, target);
        target.revive();
        target.configure(entry, this.#sharers);
        // The first targets of a service have no others that could serve meanwhile.
        if (joins && before.get(key) !== target) target.load.came(now);
        most += Math.ceil(entry.maxConnections / this.#sharers);
      }
      states.set(entry.name, state);
      state.use(
        targets.map((target) => target.health),
        entry,
        this.#sharers,
      );
    }
    for (const [name, state] of this.#states) if (states.get(name) !== state) state.room.close();
    this.#states = states;
    for (const [key, target] of before) if (this.#targets.get(key) !== target) this.#retire(key, target);
    for (const target of this.#targets.values()) this.#leaving.delete(target);
    // A generation whose exchanges are ending may have got a new target.
    for (const { entry, targets } of this.#services)
      for (const target of targets) if (this.#targets.get(this.#key(entry, target)) !== target) target.retire();
    this.#host.descriptors.forTargets = most;
    for (const { state, targets } of this.#live) if (targets.length > 0) state.room.open();
  }

  #retire(key: string, target: Target): void {
    target.retire();
    // Exchanges may still use it: it is swept until it is empty.
    if (!target.finished) this.#leaving.set(target, key);
  }

  sweep(now: number): void {
    for (const state of this.#states.values()) state.sweep(now);
    for (const target of this.#targets.values()) target.pool.sweep(now);
    for (const target of this.#leaving.keys()) {
      target.pool.sweep(now);
      if (target.finished) this.#leaving.delete(target);
    }
  }

  /** Memory is low: closes idle connections. */
  shrink(): void {
    for (const target of this.#targets.values()) target.pool.shrink();
  }

  close(): void {
    for (const state of this.#states.values()) state.room.close();
    for (const target of [...this.#targets.values(), ...this.#leaving.keys()]) target.close();
    this.#targets.clear();
    this.#leaving.clear();
    this.#services.clear();
  }
}

export interface PreparedServices {
  /** New targets, by key. */
  readonly made: Map<string, Target>;
  readonly sharers: number;
  readonly services: readonly {
    readonly entry: ServiceEntry;
    readonly endpoints: ServiceEndpoints;
    readonly sticky: Sticky<Target> | undefined;
    /** Of its counters. */
    readonly slot: number | undefined;
  }[];
}

/** Undefined: a target may be there soon. */
const startFailure = ({ cause = 'no process is ready', retryAt }: ServiceEndpoints): StartFailure | undefined =>
  retryAt === undefined ? undefined : { cause, retryAt };
