/** The values of `${vault:PATH#KEY}`: read before a load, kept while a program uses them, compared at intervals. */
import type { VaultEntry } from '../../bundle/vault.js';
import { Backoff } from '../../delay.js';
import type { DutySnapshot } from '../../telemetry/snapshot.js';
import type { DutyWorld } from '../duties/duty.js';
import type { SecretLookup } from '../references/resolve.js';
import { VaultClient } from './client.js';
import { VaultSession } from './session.js';

/** The secrets of a program that is being loaded. One of commit() and abandon() must follow. */
export interface PreparedSecrets extends SecretLookup {
  /** The program is live. */
  commit(): void;
  /** It is not loaded. */
  abandon(): void;
}

/** Paths that one program may use. */
const MOST_PATHS = 1000;
/** Milliseconds between a program that could not be loaded and the next attempt. */
const RETRY = { firstMs: 1000, maxMs: 60_000 } as const;

export class VaultSecrets {
  readonly #world: DutyWorld;
  readonly #changed: () => void;
  readonly #retry: () => void;
  readonly #backoff = new Backoff(RETRY);
  #retrying: () => void = () => {};
  #live: { readonly key: string; readonly session: VaultSession } | undefined;

  /**
   * `changed`: a secret that the live program uses has another value. `retry`: a program could not be loaded because of its secrets;
   * Vault may have them by now.
   */
  constructor(world: DutyWorld, changed: () => void, retry: () => void) {
    this.#world = world;
    this.#changed = changed;
    this.#retry = retry;
  }

  /** The work in the background, for the admin API; undefined for none. */
  get snapshot(): DutySnapshot | undefined {
    return this.#live?.session.snapshot;
  }

  /** Reads the secrets with these names. `root`: the folder of the spec. Never rejects. */
  async prepare(entry: VaultEntry | undefined, root: string, names: readonly string[]): Promise<PreparedSecrets> {
    if (entry === undefined || names.length === 0) return this.#none();
    const paths = new Set(names.map((name) => splitName(name).path));
    if (paths.size > MOST_PATHS)
      return this.#none(`The spec uses ${paths.size} secrets of Vault; the limit is ${MOST_PATHS}.`);
    const key = JSON.stringify([entry, root]);
    const session = this.#live?.key === key ? this.#live.session : this.#open(entry, root);
    const problems = await session.fetch(paths);
    if (problems.size === 0) this.#backoff.reset();
    else {
      this.#retrying();
      this.#retrying = this.#world.after(this.#backoff.next(), this.#retry);
    }
    return {
      find: (name) => {
        const { path, key: wanted } = splitName(name);
        const secret = session.secret(path);
        if (secret === undefined)
          return { problem: `The secret \`${path}\` cannot be read: ${problems.get(path) ?? 'not read'}.` };
        const value = Object.hasOwn(secret.values, wanted) ? secret.values[wanted] : undefined;
        if (typeof value === 'string' || typeof value === 'number') return { value: String(value) };
        return { problem: `The secret \`${path}\` has no text with the key \`${wanted}\`.` };
      },
      commit: () => {
        if (this.#live?.session !== session) this.#live?.session.close();
        this.#live = { key, session };
        session.use(paths);
      },
      abandon: () => {
        if (this.#live?.session !== session) session.close();
      },
    };
  }

  #none(problem = 'The spec has no table `[vault]`.'): PreparedSecrets {
    return {
      find: () => ({ problem }),
      commit: () => this.close(),
      abandon: () => {},
    };
  }

  #open(entry: VaultEntry, root: string): VaultSession {
    const ending = new AbortController();
    const client = new VaultClient(entry, root, this.#world.fetch, ending.signal);
    return new VaultSession(client, entry.refresh, this.#world, this.#changed, ending);
  }

  close(): void {
    this.#retrying();
    this.#live?.session.close();
    this.#live = undefined;
  }
}

/** `secret/shop#password` -> its path and its key. */
function splitName(name: string): { readonly path: string; readonly key: string } {
  const at = name.lastIndexOf('#');
  return { path: name.slice(0, at).replace(/^\/+/, ''), key: name.slice(at + 1) };
}
