/** concurrency at run time: takes a place when a request enters, and releases it when the exchange has ended. */
import type { Exchange, Hold, HoldStore, PolicyHost, PolicyInstance, Reply } from '../contract.js';
import { limitKey, problem, runPolicy } from '../run-kit.js';
import { PROBLEMS } from './problems.js';
import type { ConcurrencySettings } from './schema.js';

/** What an exchange holds; or, with a store over a network, may hold later. */
class Place {
  hold: Hold | undefined;
  /** The exchange has ended. */
  ended = false;
}

export const create = runPolicy<ConcurrencySettings>((settings, host) => new ConcurrencyPolicy(settings, host));

class ConcurrencyPolicy implements PolicyInstance {
  readonly #settings: ConcurrencySettings;
  readonly #host: PolicyHost;
  readonly #holds: HoldStore;

  constructor(settings: ConcurrencySettings, host: PolicyHost) {
    this.#settings = settings;
    this.#host = host;
    this.#holds = host.holds;
  }

  before(exchange: Exchange): Reply | undefined | Promise<Reply | undefined> {
    const { max, observe } = this.#settings;
    const key = limitKey(exchange, this.#settings);
    const place = new Place();
    exchange.note(this, place);
    // An observed limit counts beyond its maximum.
    const hold = this.#holds.acquire(key, observe ? Number.MAX_SAFE_INTEGER : max);
    if (hold instanceof Promise) return hold.then((late) => this.#apply(exchange, place, key, late));
    return this.#apply(exchange, place, key, hold);
  }

  #apply(exchange: Exchange, place: Place, key: string, hold: Hold | undefined): Reply | undefined {
    // The exchange has ended while the store was asked.
    if (place.ended) hold?.release();
    else place.hold = hold;
    if (exchange.decisions !== undefined) this.#decide(exchange, key, hold);
    return hold === undefined ? this.#refuse(exchange) : undefined;
  }

  finished(exchange: Exchange): void {
    const place = exchange.noted(this);
    if (!(place instanceof Place)) return;
    place.ended = true;
    place.hold?.release();
  }

  #refuse(exchange: Exchange): Reply {
    const { by, max, retryAfter } = this.#settings;
    const all = by === 'route';
    return problem(exchange, {
      ...(all ? PROBLEMS.route : PROBLEMS.caller),
      detail: all ? `The route serves ${max} at a time.` : `At most ${max} can be in progress at the same time.`,
      headers: { 'retry-after': String(retryAfter) },
      extensions: { 'violated-policies': [this.#host.name] },
    });
  }

  #decide(exchange: Exchange, key: string, hold: Hold | undefined): void {
    const { max, observe } = this.#settings;
    const taken = hold?.taken ?? max;
    const state = `${taken} of ${max} in progress for ${key}`;
    const over = taken > max ? '; over the limit, not enforced (observe)' : '';
    exchange.decisions?.push({
      step: this.#host.name,
      use: 'concurrency',
      outcome: hold === undefined ? 'answer' : 'pass',
      why: `${state}${observe ? over : ''}`,
      details: { key, max, taken },
    });
  }
}
