/** rate-limit at run time: one lookup in the shared counters for a request, two header fields on its reply. */
import type {
  ConsumerEntry,
  Exchange,
  Json,
  LimitAnswer,
  Limiter,
  LimitRate,
  PolicyHost,
  PolicyInstance,
  ReadyField,
  Reply,
} from '../contract.js';
import { consumerKey, limitKey, PreparedFields, RateFields, rateRefusal, runPolicy } from '../run-kit.js';
import { PROBLEMS } from './problems.js';
import type { RateLimitSettings } from './schema.js';

/** A limit with its RateLimit-Policy field, which never changes. */
interface Bound {
  readonly key: string;
  readonly rate: LimitRate;
  readonly policyField: ReadyField;
  /** The consumer's plan, when it was made. */
  readonly plan: string | undefined;
}

export const create = runPolicy<RateLimitSettings>((settings, host) => new RateLimitPolicy(settings, host));

class RateLimitPolicy implements PolicyInstance {
  readonly #settings: RateLimitSettings;
  readonly #host: PolicyHost;
  readonly #limiter: Limiter;
  /** Not if the limit is only observed: clients slow down by the fields, and observing must not change what they do. */
  readonly #sendsFields: boolean;
  readonly #policyField: ReadyField;
  readonly #fields: RateFields;
  /** What limits a consumer, as long as its entry exists. */
  readonly #bound = new WeakMap<ConsumerEntry, Bound>();

  constructor(settings: RateLimitSettings, host: PolicyHost) {
    this.#settings = settings;
    this.#sendsFields = settings.fields && !settings.observe;
    this.#host = host;
    this.#limiter = host.limits.limiter(host.stateIdentity);
    this.#fields = new RateFields(host.name);
    this.#policyField = this.#fields.describe(settings.rate);
    // A plan without a rate for this policy must fail the load and not a request.
    if (settings.by === 'consumer') for (const { name } of host.plans) this.#boughtRate(name);
  }

  before(exchange: Exchange): Reply | undefined | Promise<Reply | undefined> {
    const bound = this.#settings.by === 'consumer' ? this.#boundOf(exchange) : undefined;
    const key = bound?.key ?? limitKey(exchange, this.#settings);
    const rate = bound?.rate ?? this.#settings.rate;
    const answer = this.#limiter.take(key, rate, this.#settings.cost, this.#host.clock.monotonic());
    if (answer instanceof Promise) return this.#applyLater(exchange, key, bound, answer);
    return this.#apply(exchange, key, bound, answer);
  }

  /** Apart from before(), so that an answer from memory creates no closure. */
  #applyLater(
    exchange: Exchange,
    key: string,
    bound: Bound | undefined,
    pending: Promise<LimitAnswer>,
  ): Promise<Reply | undefined> {
    return pending.then((late) => this.#apply(exchange, key, bound, late));
  }

  #apply(exchange: Exchange, key: string, bound: Bound | undefined, answer: LimitAnswer): Reply | undefined {
    if (this.#sendsFields) exchange.note(this, this.#fields.after(bound?.policyField ?? this.#policyField, answer));
    if (exchange.decisions !== undefined) this.#decide(exchange, key, bound, answer);
    if (answer.allowed || this.#settings.observe) return undefined;
    return this.#refuse(exchange, bound, answer);
  }

  after(exchange: Exchange, reply: Reply): undefined {
    const prepared = exchange.noted(this);
    if (!(prepared instanceof PreparedFields)) return;
    reply.headers.add(prepared.policyField);
    reply.headers.add(prepared.stateField);
  }

  #boundOf(exchange: Exchange): Bound | undefined {
    const { consumer } = exchange;
    if (consumer === undefined) return undefined;
    let bound = this.#bound.get(consumer);
    if (bound === undefined || bound.plan !== consumer.plan) {
      bound = this.#bind(consumer);
      this.#bound.set(consumer, bound);
    }
    return bound;
  }

  #bind(consumer: ConsumerEntry): Bound {
    const rate = this.#boughtRate(consumer.plan) ?? this.#settings.rate;
    return { key: consumerKey(consumer), rate, policyField: this.#fields.describe(rate), plan: consumer.plan };
  }

  /** The limit that the consumer's plan names for this policy. */
  #boughtRate(planName: string | undefined): LimitRate | undefined {
    const limits = this.#host.plans.find((plan) => plan.name === planName)?.limits;
    if (limits === undefined || !Object.hasOwn(limits, this.#host.name)) return undefined;
    const rate = asRate(limits[this.#host.name]);
    if (rate === undefined) throw new TypeError(`Plan ${planName} has no rate for policy ${this.#host.name}.`);
    return rate;
  }

  #refuse(exchange: Exchange, bound: Bound | undefined, answer: LimitAnswer): Reply {
    const { fields, rate } = this.#settings;
    return rateRefusal(exchange, {
      problem: PROBLEMS.exceeded,
      policy: this.#host.name,
      rate: bound?.rate ?? rate,
      answer,
      fields: fields ? this.#fields.after(bound?.policyField ?? this.#policyField, answer) : undefined,
    });
  }

  #decide(exchange: Exchange, key: string, bound: Bound | undefined, answer: LimitAnswer): void {
    const { observe, cost } = this.#settings;
    const rate = bound?.rate ?? this.#settings.rate;
    const bought = bound !== undefined && this.#boughtRate(bound.plan) !== undefined;
    const state = `${answer.remaining} of ${rate.capacity} left for ${key}`;
    exchange.decisions?.push({
      step: this.#host.name,
      use: 'rate-limit',
      outcome: answer.allowed || observe ? 'pass' : 'answer',
      why: answer.allowed ? state : `${state}${observe ? '; over the limit, not enforced (observe)' : ''}`,
      details: {
        key,
        capacity: rate.capacity,
        periodMs: rate.periodMs,
        cost,
        remaining: answer.remaining,
        ...(Number.isFinite(answer.retryMs) ? { retryMs: answer.retryMs } : {}),
        // The keys of the config in whose place the consumer's plan set something.
        ...(bought ? { plan: bound.plan ?? '', instead: { limit: { ...rate }, burst: null } } : {}),
      },
    });
  }
}

function asRate(value: Json | undefined): LimitRate | undefined {
  if (typeof value !== 'object' || value === null || !('capacity' in value)) return undefined;
  const { capacity, periodMs } = value;
  return typeof capacity === 'number' && typeof periodMs === 'number' ? { capacity, periodMs } : undefined;
}
