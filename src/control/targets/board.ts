/**
 * Which endpoints each service has now. Sources supply targets; the board makes endpoints of them, with the counter slots and
 * what active checks have found, and sends each change to all workers. A load begins with what the board knows.
 *
 *     spec, discovery, processes --supply--> board --ServiceEndpoints--> workers
 *               names --addresses-->         --endpoints--> admin API, metrics, active checks
 *                    active checks --down-->
 */
import type { Program, ServiceEntry } from '../../bundle/types.js';
import type { Endpoint, ServiceEndpoints } from '../../proxy/types.js';
import { reasonOf } from '../../reason.js';
import type { DutySnapshot } from '../../telemetry/snapshot.js';
import type { Log } from '../log.js';
import type { SourceWorld } from './discovery/run.js';
import { Discovery, discoverKey, type ProgramPlace } from './discovery/set.js';
import { sourceText } from './discovery/source.js';
import { type Expanded, expand, type Unslotted } from './names/expand.js';
import type { Refresh } from './names/name.js';
import { hostOf, Names } from './names/names.js';
import { programSupply, type SuppliedTarget, type Supply } from './names/supply.js';

/** Milliseconds that a load waits for the addresses of new names. After that, workers look them up when they connect. */
const LOAD_WAIT = 250;
/** Milliseconds that a load waits for the first answers of new sources. */
const SOURCE_WAIT = 2000;

export interface BoardOptions {
  /** Counter slots for the endpoints of a service; none of them: it is gone. */
  readonly slots: (service: string, endpoints: readonly Unslotted[]) => readonly number[];
  /** Sends changes to all workers. */
  readonly send: (changes: readonly ServiceEndpoints[]) => Promise<void>;
  readonly log: Log;
  /** Looks names up, and asks sources. Absent: workers look names up when they connect, and nothing is discovered. */
  readonly world?: Omit<SourceWorld, 'log'>;
}

/** The endpoints of a load. While it is staged, no change is sent to workers. */
export interface StagedTargets {
  readonly endpoints: ReadonlyMap<string, ServiceEndpoints>;
  /** The load is live. */
  commit(): void;
  /** It was rejected: the services are as before. */
  abandon(): void;
}

type Listener = (service: string, endpoints: readonly Endpoint[]) => void;

export class TargetBoard {
  readonly #options: BoardOptions;
  /** Services of the live program. */
  #services: ReadonlyMap<string, ServiceEntry> = new Map();
  /** What replaces the targets of a program: by service, or by the key of a source. */
  readonly #supplies = new Map<string, Supply>();
  /** By service: the keys of endpoints that active checks find unhealthy. */
  readonly #down = new Map<string, ReadonlySet<string>>();
  /** What workers have, or were sent. */
  #sent: ReadonlyMap<string, ServiceEndpoints> = new Map();
  #version = 0;
  #staged = false;
  /** Services that have changed since they were sent. */
  readonly #changed = new Set<string>();
  readonly #listeners = new Set<Listener>();
  readonly #names: Names | undefined;
  readonly #discovery: Discovery | undefined;
  /** The last word of each source while its names are looked up. */
  readonly #turns = new Map<string, Promise<void>>();
  /** Resolves when workers use what they were sent. */
  #applied: Promise<unknown> = Promise.resolve();
  /** Services of the program that is being prepared. */
  #coming: readonly ServiceEntry[] = [];
  /** Services by the names of their targets. */
  #users: ReadonlyMap<string, readonly string[]> = new Map();

  constructor(options: BoardOptions) {
    this.#options = options;
    const { log, world } = options;
    if (world === undefined) return;
    this.#names = new Names({ ...world, log }, (host) => {
      for (const service of this.#users.get(host) ?? []) this.#change(service);
    });
    this.#discovery = new Discovery({ ...world, log }, (key, supply) => void this.#discovered(key, supply));
  }

  /** The endpoints of a service of the live program. */
  of(service: string): readonly Endpoint[] {
    return this.#sent.get(service)?.endpoints ?? [];
  }

  /** Why a service has no endpoints; undefined if it has some, or if nothing is known. */
  causeOf(service: string): string | undefined {
    return this.#sent.get(service)?.cause;
  }

  /** Resolves when all workers use the endpoints that they were sent so far. */
  async applied(): Promise<void> {
    await this.#applied;
  }

  /** Calls `listener` after each change of a service, with none for one that is gone. Returns what ends that. */
  onChange(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * The targets of a service from now on, in place of those of its program: from a discovery source, or gw's own processes.
   * Undefined: those of its program again. They survive reloads.
   */
  supply(service: string, supply: Supply | undefined): void {
    if (supply === undefined) this.#supplies.delete(service);
    else this.#supplies.set(service, supply);
    if (!this.#staged) this.#watchNames();
    this.#change(service);
  }

  /** Starts the sources of a program and looks up its names, before they are used; waits a moment for the answers. */
  async prepare(services: Program['services'], place: ProgramPlace): Promise<void> {
    this.#coming = services;
    await this.#discovery?.prepare(services, place, SOURCE_WAIT);
    await Promise.all(this.#turns.values());
    const wanted = new Map<string, Refresh>();
    for (const entry of services) addNames(wanted, this.#supplyOf(entry).targets, entry.refresh);
    await this.#names?.prepare(wanted, LOAD_WAIT);
  }

  /** A source has said something. Its names are looked up before its targets are used. */
  async #discovered(key: string, supply: Supply): Promise<void> {
    const wanted = new Map<string, Refresh>();
    addNames(wanted, supply.targets, undefined);
    if (wanted.size > 0 && this.#names !== undefined) {
      const turn = this.#names.prepare(wanted, LOAD_WAIT);
      this.#turns.set(key, turn);
      await turn;
      // It has said something else meanwhile.
      if (this.#turns.get(key) !== turn) return;
    }
    this.#turns.delete(key);
    this.#supplies.set(key, supply);
    if (!this.#staged) this.#watchNames();
    for (const entry of this.#services.values())
      if (entry.discover !== undefined && discoverKey(entry.discover) === key) this.#changed.add(entry.name);
    if (!this.#staged) this.#flush();
  }

  /** The load that they were prepared for was rejected. */
  abandon(): void {
    this.#coming = [];
    if (!this.#staged) this.#watchNames();
  }

  /** An attempt at an endpoint could not connect: its name may have other addresses by now. */
  unreachable(url: string): void {
    const host = hostOf(url);
    if (host !== undefined) this.#names?.get(host)?.suspect();
  }

  /** What is known of the lookups. */
  snapshots(): DutySnapshot[] {
    return [...(this.#discovery?.snapshots() ?? []), ...(this.#names?.snapshots() ?? [])];
  }

  close(): void {
    this.#discovery?.close();
    this.#names?.close();
  }

  #supplyOf(entry: ServiceEntry): Supply {
    const { discover, name } = entry;
    if (discover === undefined) return this.#supplies.get(name) ?? programSupply(entry);
    return (
      this.#supplies.get(discoverKey(discover)) ?? { targets: [], cause: `${sourceText(discover)} is being asked` }
    );
  }

  /** The names and sources of the live services, and of those that are being loaded; others are not asked any more. */
  #watchNames(): void {
    const wanted = new Map<string, Refresh>();
    const users = new Map<string, string[]>();
    const used = [...this.#services.values(), ...this.#coming];
    for (const entry of used) {
      const hosts = addNames(wanted, this.#supplyOf(entry).targets, entry.refresh);
      for (const host of hosts) users.set(host, [...(users.get(host) ?? []), entry.name]);
    }
    this.#users = users;
    this.#names?.use(wanted);
    this.#discovery?.use(keysOf(used));
  }

  /** What active checks have found of a service: the keys (endpointKey) of the endpoints that get no requests. */
  setDown(service: string, down: ReadonlySet<string>): void {
    if (down.size === 0) this.#down.delete(service);
    else this.#down.set(service, down);
    this.#change(service);
  }

  /** The endpoints for a program that is about to be loaded. `supplies`: what supply() is called with for it when it is live. */
  stage({ services }: Pick<Program, 'services'>, supplies: ReadonlyMap<string, Supply> = new Map()): StagedTargets {
    const next = new Map<string, ServiceEndpoints>();
    const before = this.#sent;
    for (const entry of services) {
      const made = this.#make(entry, supplies.get(entry.name));
      // Both have their slots until it is known which of them is live.
      const held = [...made.endpoints, ...(before.get(entry.name)?.endpoints ?? [])];
      const slots = this.#options.slots(entry.name, held);
      next.set(entry.name, this.#numbered(made, slots, before.get(entry.name)));
    }
    this.#staged = true;
    return {
      endpoints: next,
      commit: () => {
        this.#services = new Map(services.map((entry) => [entry.name, entry]));
        for (const [service, supply] of supplies) this.#supplies.set(service, supply);
        const used = keysOf([...this.#services.values()]);
        for (const key of [...this.#supplies.keys(), ...this.#down.keys()]) if (!used.has(key)) this.#forget(key);
        this.#settle(next, before);
      },
      abandon: () => this.#settle(before, next),
    };
  }

  /** Ends the staging: `now` is what workers have. */
  #settle(now: ReadonlyMap<string, ServiceEndpoints>, other: ReadonlyMap<string, ServiceEndpoints>): void {
    const changed = [...now.values()].filter(({ service, version }) => this.#sent.get(service)?.version !== version);
    const gone = [...this.#sent.keys()].filter((service) => !now.has(service));
    this.#sent = now;
    this.#staged = false;
    this.#coming = [];
    this.#watchNames();
    for (const service of new Set([...now.keys(), ...other.keys()]))
      this.#options.slots(service, now.get(service)?.endpoints ?? []);
    for (const { service, endpoints } of changed) this.#tell(service, endpoints);
    for (const service of gone) this.#tell(service, []);
    this.#flush();
  }

  #forget(service: string): void {
    this.#supplies.delete(service);
    this.#down.delete(service);
  }

  #change(service: string): void {
    this.#changed.add(service);
    if (!this.#staged) this.#flush();
  }

  #flush(): void {
    const changes: ServiceEndpoints[] = [];
    const now = new Map(this.#sent);
    for (const service of this.#changed) {
      const entry = this.#services.get(service);
      const before = this.#sent.get(service);
      if (entry === undefined) continue;
      const made = this.#make(entry);
      const next = this.#numbered(made, this.#options.slots(service, made.endpoints), before);
      if (next === before) continue;
      now.set(service, next);
      changes.push(next);
    }
    this.#changed.clear();
    if (changes.length === 0) return;
    this.#sent = now;
    const sent = this.#options.send(changes).catch((error: unknown) => {
      this.#options.log.error('cannot send the targets of services to the workers', { cause: reasonOf(error) });
    });
    this.#applied = Promise.all([this.#applied, sent]);
    for (const { service, endpoints } of changes) this.#tell(service, endpoints);
  }

  #tell(service: string, endpoints: readonly Endpoint[]): void {
    for (const listener of this.#listeners) listener(service, endpoints);
  }

  #make(entry: ServiceEntry, supply = this.#supplyOf(entry)): Made {
    const { endpoints, cause } = expand(supply, this.#names);
    const { retryAt } = supply;
    const down = this.#down.get(entry.name);
    const marked = (one: Unslotted): Unslotted => (down?.has(endpointKey(one)) === true ? { ...one, down: true } : one);
    return { service: entry.name, endpoints: down === undefined ? endpoints : endpoints.map(marked), cause, retryAt };
  }

  /** With slots and a version, which is that of `before` if nothing has changed. */
  #numbered(
    { service, endpoints, cause, retryAt }: Made,
    slots: readonly number[],
    before: ServiceEndpoints | undefined,
  ): ServiceEndpoints {
    const slotted = endpoints.map((endpoint, at): Endpoint => ({ ...endpoint, slot: slots[at]! }));
    const same =
      before?.cause === cause &&
      before?.retryAt === retryAt &&
      JSON.stringify(before?.endpoints) === JSON.stringify(slotted);
    if (before !== undefined && same) return before;
    return {
      service,
      version: ++this.#version,
      endpoints: slotted,
      ...(cause === undefined ? {} : { cause }),
      ...(retryAt === undefined ? {} : { retryAt }),
    };
  }
}

interface Made extends Expanded {
  readonly retryAt: number | undefined;
  readonly service: string;
}

/** The names of services, and the keys of their sources. */
const keysOf = (services: readonly ServiceEntry[]): ReadonlySet<string> =>
  new Set(services.flatMap(({ name, discover }) => (discover === undefined ? name : [name, discoverKey(discover)])));

/** Adds the names of targets, with the shortest refresh of those that have the name. Returns them. */
function addNames(
  wanted: Map<string, Refresh>,
  targets: readonly SuppliedTarget[],
  refresh: Refresh,
): ReadonlySet<string> {
  const hosts = new Set(targets.map(({ url }) => hostOf(url)).filter((host) => host !== undefined));
  for (const host of hosts) {
    const known = wanted.get(host);
    wanted.set(host, known === undefined || (refresh !== undefined && refresh < known) ? refresh : known);
  }
  return hosts;
}

/** What identifies an endpoint among those of its service. */
export const endpointKey = ({ url, address }: Pick<Endpoint, 'url' | 'address'>): string =>
  address === undefined ? url : `${url}|${address}`;
