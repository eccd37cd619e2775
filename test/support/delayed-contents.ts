/** Contents in a store that answers late, as one on disk or over a network does, and that may fail. */
import type { Json } from '../../src/bundle/types.js';
import type {
  Content,
  ContentFacts,
  ContentNames,
  ContentOptions,
  ContentSelector,
  ContentSpace,
  ContentStore,
  ContentWriter,
  ListedContent,
} from '../../src/state/content/types.js';
import type { After } from '../../src/state/timers.js';

interface Stored<Data> {
  readonly facts: ContentFacts<Data>;
  readonly parts: readonly Buffer[];
  readonly length: number;
  readonly soft: boolean;
}

interface Open {
  readonly key: string;
  readonly facts: ContentFacts<unknown>;
  purged: boolean;
  soft: boolean;
}

/** Milliseconds until each kind of answer. */
export interface Delays {
  readonly get: number;
  readonly commit: number;
  readonly change: number;
}

export interface DelayedOptions {
  /** Timers that the test moves: those of ManualTime or VirtualTime. */
  readonly after: After;
  /** Milliseconds for all answers, or for each kind. Default 10. */
  readonly delay?: number | Delays;
}

/**
 * All identities share `after`, the delays and the failures. A get() sees the store as it is when it answers; a commit takes effect
 * after its delay, unless a purge that it belongs to came meanwhile.
 */
export class DelayedContents implements ContentSpace {
  readonly after: After;
  delays: Delays;
  /** While true, a get() is a miss, and commits, changes and purges are lost. Each is counted as an error. */
  failing = false;
  errors = 0;
  /** Contents that get() has given out and that are not released yet. */
  pinned = 0;
  readonly #stores = new Map<string, DelayedContentStore<unknown>>();

  constructor({ after, delay = 10 }: DelayedOptions) {
    this.after = after;
    this.delays = typeof delay === 'number' ? { get: delay, commit: delay, change: delay } : delay;
  }

  store<Data = Json>(identity: string, options: ContentOptions): DelayedContentStore<Data> {
    const known = this.#stores.get(identity) as DelayedContentStore<Data> | undefined;
    const store = known ?? new DelayedContentStore<Data>(this, options);
    this.#stores.set(identity, store);
    return store;
  }

  /** Counts an error if the store fails now. */
  fails(): boolean {
    if (this.failing) this.errors++;
    return this.failing;
  }
}

export class DelayedContentStore<Data = Json> implements ContentStore<Data> {
  readonly #space: DelayedContents;
  readonly #options: ContentOptions;
  readonly #stored = new Map<string, Stored<Data>>();
  readonly #open = new Set<Open>();
  /** All purges, in their order. */
  readonly #purges: ContentSelector[] = [];

  constructor(space: DelayedContents, options: ContentOptions) {
    this.#space = space;
    this.#options = options;
  }

  get size(): number {
    return this.#stored.size;
  }

  get(key: string): Promise<Content<Data> | undefined> {
    return this.#later(this.#space.delays.get, undefined, () => {
      const stored = this.#stored.get(key);
      return stored && this.#pin(key, stored);
    });
  }

  put(key: string, facts: ContentFacts<Data>, length: number): ContentWriter | undefined {
    const { maxEntry } = this.#options;
    if (length > maxEntry) return undefined;
    const open: Open = { key, facts, purged: false, soft: false };
    this.#open.add(open);
    const parts: Buffer[] = [];
    let written = 0;
    let state: 'open' | 'ended' = 'open';
    const end = (): void => {
      state = 'ended';
      parts.length = 0;
    };
    return {
      write: (bytes) => {
        if (state === 'ended') return false;
        written += bytes.length;
        if (written > maxEntry || (length >= 0 && written > length)) {
          end();
          this.#open.delete(open);
          return false;
        }
        parts.push(Buffer.from(bytes));
        return true;
      },
      commit: () => {
        if (state === 'ended') return;
        const body = [...parts];
        end();
        const whole = length < 0 || written === length;
        void this.#later(this.#space.delays.commit, undefined, () => {
          if (whole && !open.purged && this.#open.has(open)) {
            this.#stored.set(key, { facts, parts: body, length: written, soft: open.soft });
          }
          return undefined;
        }).then(() => this.#open.delete(open));
      },
      abort: () => {
        if (state === 'ended') return;
        end();
        this.#open.delete(open);
      },
    };
  }

  refresh(content: Content<Data>, facts: ContentFacts<Data>, since: number): Promise<void> {
    return this.#later(this.#space.delays.change, undefined, () => {
      if (this.purgedAt(content.facts) > since || this.purgedAt(facts) > since) return;
      const stored = this.#stored.get(content.key);
      // Another content may have taken its place.
      if (stored?.facts === content.facts) this.#stored.set(content.key, { ...stored, facts, soft: false });
    });
  }

  delete(key: string): Promise<void> {
    for (const open of this.#open) if (open.key === key) open.purged = true;
    return this.#later(this.#space.delays.change, undefined, () => void this.#stored.delete(key));
  }

  moment(): number {
    return this.#purges.length;
  }

  purgedAt(names: ContentNames): number {
    return this.#purges.findLastIndex((selector) => selects(selector, names)) + 1;
  }

  announce(selector: ContentSelector): void {
    this.#purges.push(selector);
  }

  purge(selector: ContentSelector, soft: boolean): Promise<number> {
    this.announce(selector);
    for (const open of this.#open) {
      if (!selects(selector, open.facts)) continue;
      if (soft) open.soft = true;
      else open.purged = true;
    }
    return this.#later(this.#space.delays.change, 0, () => {
      let count = 0;
      for (const [key, stored] of this.#stored) {
        if (!selects(selector, stored.facts)) continue;
        count++;
        if (soft) this.#stored.set(key, { ...stored, soft: true });
        else this.#stored.delete(key);
      }
      return count;
    });
  }

  list(selector: ContentSelector, most: number): Promise<readonly ListedContent[]> {
    return this.#later(this.#space.delays.change, [], () =>
      [...this.#stored]
        .filter(([, { facts }]) => selects(selector, facts))
        .slice(0, most)
        .map(
          ([
            key,
            {
              facts: { url, route, tags, expiresAt },
              length,
              soft,
            },
          ]) => ({
            key,
            url,
            route,
            tags,
            expiresAt,
            length,
            soft,
          }),
        ),
    );
  }

  #pin(key: string, { facts, parts, length, soft }: Stored<Data>): Content<Data> {
    this.#space.pinned++;
    let held = true;
    const release = (): void => {
      if (held) this.#space.pinned--;
      held = false;
    };
    return { key, facts, parts, length, soft, release };
  }

  /** Does the work after `ms` milliseconds; if the store fails at that time, resolves with `otherwise`. */
  #later<T>(ms: number, otherwise: T, work: () => T): Promise<T> {
    return new Promise((resolve) => {
      this.#space.after(ms, () => resolve(this.#space.fails() ? otherwise : work()));
    });
  }
}

/** Whether a purge by `selector` removes a content with these facts. */
export function selects(selector: ContentSelector, facts: ContentNames): boolean {
  if (selector.by === 'all') return true;
  const { by, value } = selector;
  if (by === 'route') return facts.route === value;
  if (by === 'tag') return facts.tags.includes(value);
  return value.endsWith('*') ? facts.url.startsWith(value.slice(0, -1)) : facts.url === value;
}
