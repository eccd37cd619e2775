/** What operators do with the caches of a gateway. */
import type { Program } from '../../bundle/types.js';
import type { BoundListener } from '../../proxy/types.js';
import type { ContentSpace } from '../../state/content/types.js';
import type {
  CacheStats,
  ListInput,
  PurgeInput,
  PurgeReport,
  StoredReplies,
  WarmInput,
  WarmReport,
} from '../../telemetry/cache-calls.js';
import type { ContentsSnapshot } from '../../telemetry/snapshot.js';
import type { PolicyTotals } from '../policy-totals.js';
import { list } from './list.js';
import { CacheError } from './policies.js';
import { purge } from './purge.js';
import { cacheStats } from './stats.js';
import { warm } from './warm.js';

export interface CacheSource {
  /** Undefined: the gateway does not serve. */
  live(): { readonly program: Program; readonly listeners: readonly BoundListener[] } | undefined;
  space(): Promise<ContentSpace | undefined>;
  contentsOf(program: Program): ContentsSnapshot | undefined;
  readonly totals: PolicyTotals;
  /** Resolves when the workers have reported what they counted. */
  report(): Promise<void>;
}

export class Caches {
  readonly #source: CacheSource;

  constructor(source: CacheSource) {
    this.#source = source;
  }

  /** @throws CacheError */
  async stats(): Promise<CacheStats> {
    await this.#source.report();
    const live = this.#source.live();
    const contents = live && this.#source.contentsOf(live.program);
    if (live === undefined || contents === undefined) throw notReady();
    return cacheStats(live.program, contents, this.#source.totals);
  }

  /** @throws CacheError */
  async list(input: ListInput): Promise<StoredReplies> {
    const { program, space } = await this.#stores();
    return list(program, space, input);
  }

  /** @throws CacheError */
  async purge(input: PurgeInput): Promise<PurgeReport> {
    const { program, space } = await this.#stores();
    return purge(program, space, input);
  }

  async #stores(): Promise<{ readonly program: Program; readonly space: ContentSpace }> {
    const space = await this.#source.space();
    const live = this.#source.live();
    if (live === undefined || space === undefined) throw notReady();
    return { program: live.program, space };
  }

  /** @throws CacheError */
  async warm(input: WarmInput, signal: AbortSignal): Promise<WarmReport> {
    const live = this.#source.live();
    if (live === undefined) throw notReady();
    const listeners = live.listeners.map(({ name, address }) => ({
      address,
      tls: live.program.listeners.find((entry) => entry.name === name)?.tls !== undefined,
    }));
    return warm(listeners, input, signal);
  }
}

const notReady = (): CacheError => new CacheError('ending', 'Nothing is live yet.');
