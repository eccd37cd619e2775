/** The names of targets that are looked up: those that some service has. */
import { isIP } from 'node:net';
import { within } from '../../../delay.js';
import type { DutySnapshot } from '../../../telemetry/snapshot.js';
import { Name, type NameWorld, type Refresh } from './name.js';

/** Names in use. Of more, the rest is looked up by workers, for each connection. */
const MOST_NAMES = 10_000;

export class Names {
  readonly #world: NameWorld;
  readonly #changed: (host: string) => void;
  readonly #names = new Map<string, Name>();
  #closed = false;

  /** `changed`: a name has other addresses, or another cause without one. */
  constructor(world: NameWorld, changed: (host: string) => void) {
    this.#world = world;
    this.#changed = changed;
  }

  get(host: string): Name | undefined {
    return this.#names.get(host);
  }

  /** Begins to look up names, and waits for their first answers, at most for `ms`. */
  async prepare(wanted: ReadonlyMap<string, Refresh>, ms: number): Promise<void> {
    const fresh: Promise<void>[] = [];
    for (const [host, refresh] of wanted) {
      const known = this.#names.get(host) ?? this.#open(host, refresh);
      if (known !== undefined && known.addresses === undefined) fresh.push(known.first);
    }
    if (fresh.length > 0) await within(Promise.all(fresh), ms);
  }

  /** From now on only these names. */
  use(wanted: ReadonlyMap<string, Refresh>): void {
    for (const [host, name] of this.#names) {
      if (wanted.has(host)) continue;
      name.close();
      this.#names.delete(host);
    }
    for (const [host, refresh] of wanted) {
      const known = this.#names.get(host) ?? this.#open(host, refresh);
      if (known !== undefined) known.refresh = refresh;
    }
  }

  #open(host: string, refresh: Refresh): Name | undefined {
    if (this.#closed || this.#names.size >= MOST_NAMES) return undefined;
    const name: Name = new Name(host, refresh, this.#world, () => {
      if (this.#names.get(host) === name) this.#changed(host);
    });
    this.#names.set(host, name);
    return name;
  }

  snapshots(): DutySnapshot[] {
    return [...this.#names.values()].map(({ snapshot }) => snapshot);
  }

  close(): void {
    this.#closed = true;
    for (const name of this.#names.values()) name.close();
    this.#names.clear();
  }
}

/**
 * The host of a target URL that is looked up; undefined for an address, and for this machine, whose addresses of both families
 * are one endpoint (RFC 6761 section 6.3).
 */
export function hostOf(url: string): string | undefined {
  if (!URL.canParse(url)) return undefined;
  const { hostname } = new URL(url);
  const local = hostname === 'localhost' || hostname.endsWith('.localhost');
  return hostname === '' || hostname.startsWith('[') || local || isIP(hostname) !== 0 ? undefined : hostname;
}
