/** All sources of targets of a gateway. They outlive reloads: services with the same source share it. */
import type { DiscoverEntry, DiscoverKind } from '../../../bundle/service/discover.js';
import type { Program, ServiceEntry } from '../../../bundle/types.js';
import { within } from '../../../delay.js';
import type { DutySnapshot } from '../../../telemetry/snapshot.js';
import { plain } from '../../references/pems.js';
import { REFRESH } from '../names/name.js';
import type { Supply } from '../names/supply.js';
import { isLocal } from './api.js';
import { CONSUL, consulSource } from './consul.js';
import { DOCKER, dockerSource } from './docker.js';
import { fileSource } from './file.js';
import { kubernetesSource } from './kubernetes.js';
import { SourceMemory } from './memory.js';
import { SourceRun, type SourceWorld } from './run.js';
import type { CreateSource } from './source.js';
import { srvSource } from './srv.js';

const CREATE: Readonly<Record<DiscoverKind, CreateSource>> = {
  consul: consulSource,
  docker: dockerSource,
  file: fileSource,
  kubernetes: kubernetesSource,
  srv: srvSource,
};

/** Where a program is: what relative paths begin with, and the folder for what survives a restart. */
export interface ProgramPlace {
  readonly root: string;
  readonly state?: Program['state'];
}

/** Identifies a source. */
export const discoverKey = (entry: DiscoverEntry): string => `discover ${JSON.stringify(entry)}`;

/** Without the token, which may have changed since the last run. */
const memoryKey = ({ token: _, ...entry }: DiscoverEntry): string => JSON.stringify(entry);

export class Discovery {
  readonly #world: SourceWorld;
  readonly #supply: (key: string, supply: Supply) => void;
  readonly #sources = new Map<string, { readonly entry: DiscoverEntry; readonly run: SourceRun }>();
  #memory: SourceMemory | undefined;
  #closed = false;

  /** `supply`: takes what the source with this key says. */
  constructor(world: SourceWorld, supply: (key: string, supply: Supply) => void) {
    this.#world = world;
    this.#supply = supply;
  }

  /** Starts the sources of services that are new, and waits for their first answers, at most for `ms`. */
  async prepare(services: readonly ServiceEntry[], place: ProgramPlace, ms: number): Promise<void> {
    if (place.state?.path !== undefined) this.#memory = new SourceMemory(place.state.path, this.#world.log);
    const fresh: Promise<void>[] = [];
    for (const { discover, refresh = REFRESH } of services) {
      if (discover === undefined || this.#closed || this.#sources.has(discoverKey(discover))) continue;
      const run = this.#open(discover, place.root, refresh);
      this.#sources.set(discoverKey(discover), { entry: discover, run });
      fresh.push(run.first);
    }
    if (fresh.length > 0) await within(Promise.all(fresh), ms);
  }

  #open(entry: DiscoverEntry, root: string, refresh: number): SourceRun {
    const key = discoverKey(entry);
    const memory = this.#memory;
    return new SourceRun(
      {
        entry,
        create: CREATE[entry.kind],
        local: isOnThisMachine(entry),
        root,
        refresh,
        last: memory?.read(memoryKey(entry)),
        supply: (supply) => {
          this.#supply(key, supply);
          if (supply.permits !== undefined) memory?.write(memoryKey(entry), supply.targets);
        },
      },
      this.#world,
    );
  }

  /** From now on only the sources with these keys. */
  use(keys: ReadonlySet<string>): void {
    const before = this.#sources.size;
    for (const [key, { run }] of this.#sources) {
      if (keys.has(key)) continue;
      run.close();
      this.#sources.delete(key);
    }
    if (this.#sources.size < before)
      this.#memory?.keepOnly([...this.#sources.values()].map(({ entry }) => memoryKey(entry)));
  }

  snapshots(): DutySnapshot[] {
    return [...this.#sources.values()].map(({ run }) => run.snapshot);
  }

  close(): void {
    this.#closed = true;
    for (const { run } of this.#sources.values()) run.close();
    this.#sources.clear();
  }
}

function isOnThisMachine({ kind, address }: DiscoverEntry): boolean {
  if (kind === 'docker') return isLocal(plain(address ?? DOCKER));
  if (kind === 'consul') return isLocal(plain(address ?? CONSUL));
  // The file, and the names in DNS, are as trusted as the spec that names them.
  return kind !== 'kubernetes';
}
