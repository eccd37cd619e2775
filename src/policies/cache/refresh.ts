/** Fetches stale replies anew while they are still sent: stale-while-revalidate, RFC 5861. */
import type { Exchange, PolicyHost, Reply } from '../contract.js';
import type { Keeper } from './keeper.js';
import type { StoredReplies } from './stored.js';
import type { Visit } from './visit.js';

/** Replies that a worker fetches anew at the same time. */
const MOST = 64;
/** Milliseconds for which other workers leave it to this one. */
const LEASE_MS = 10_000;

export class Refresher {
  readonly #host: PolicyHost;
  readonly #keeper: Keeper;
  readonly #replies: StoredReplies;
  readonly #running = new Set<string>();

  constructor(host: PolicyHost, keeper: Keeper, replies: StoredReplies) {
    this.#host = host;
    this.#keeper = keeper;
    this.#replies = replies;
  }

  /** Whether another fetch of this key may begin. */
  accepts(key: string): boolean {
    return this.#running.size < MOST && !this.#running.has(key);
  }

  /** Continues a copy of the exchange, whose request is a validation, in the background. */
  begin(exchange: Exchange, visit: Visit): void {
    const key = visit.key.text;
    this.#running.add(key);
    let begun = false;
    this.#host
      .once(`refresh ${key}`, LEASE_MS, async () => {
        // Its turn after another worker was too slow: the exchange may have ended.
        if (begun) return null;
        await this.#fetch(exchange, visit);
        return null;
      })
      .catch((error: unknown) => {
        const cause = error instanceof Error ? error.message : String(error);
        this.#host.logger.debug('stale reply not refreshed', { cause, url: visit.key.url });
      })
      .finally(() => this.#running.delete(key));
    begun = true;
  }

  async #fetch(exchange: Exchange, visit: Visit): Promise<void> {
    // The copy begins at once, before the exchange ends.
    const streamed = await this.#host.background(exchange);
    const reply: Reply = { status: streamed.status, headers: streamed.headers, body: streamed.body };
    const { found, variants } = await this.#replies.find(visit.key.text, visit.request);
    visit.variants = variants;
    if (reply.status === 304) {
      streamed.body.discard();
      if (found !== undefined) this.#keeper.confirm(exchange, visit, found, reply);
      found?.content.release();
      return;
    }
    found?.content.release();
    if (reply.status >= 500 || !this.#keeper.keep(exchange, visit, reply, found?.content.key)) {
      streamed.body.discard();
      return;
    }
    const { fill } = visit;
    await new Promise<void>((resolve) => {
      streamed.body.start({
        write: (bytes) => fill!.write(bytes),
        end() {
          fill!.end();
          resolve();
        },
        fail(cause) {
          fill!.fail(cause);
          resolve();
        },
        onWritable() {},
      });
    });
  }
}
