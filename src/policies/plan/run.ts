/** plan at run time: whether the caller's plan includes the route, then its number of requests in progress, then its rates. */
import type {
  Awaitable,
  ConsumerEntry,
  Exchange,
  Hold,
  LimitAnswer,
  Limiter,
  PolicyHost,
  PolicyInstance,
  Reply,
} from '../contract.js';
import { consumerKey, limitKey, type PreparedFields, problem, rateRefusal, runPolicy } from '../run-kit.js';
import { Bought } from './bought.js';
import { PROBLEMS } from './problems.js';
import type { PlanPolicySettings } from './schema.js';

export const create = runPolicy<PlanPolicySettings>((settings, host) => new PlanPolicy(settings, host));

/** What a consumer has bought, as long as its entry exists. */
interface Account {
  readonly key: string;
  readonly bought: Bought | undefined;
  /** Its plan, when this was made. */
  readonly plan: string | undefined;
}

/** One exchange in this policy. */
class Visit {
  hold: Hold | undefined;
  /** The exchange has ended. */
  ended = false;
  /** By rate, once it has counted the request. */
  readonly fields: PreparedFields[] = [];

  constructor(
    readonly exchange: Exchange,
    readonly key: string,
    readonly bought: Bought,
  ) {}
}

class PlanPolicy implements PolicyInstance {
  readonly #host: PolicyHost;
  readonly #limiter: Limiter;
  readonly #fields: boolean;
  readonly #plans: ReadonlyMap<string, Bought>;
  readonly #default: Bought | undefined;
  readonly #accounts = new WeakMap<ConsumerEntry, Account>();

  constructor(settings: PlanPolicySettings, host: PolicyHost) {
    this.#host = host;
    this.#limiter = host.limits.limiter(host.stateIdentity);
    this.#fields = settings.fields;
    this.#plans = new Map(host.plans.map((plan) => [plan.name, new Bought(plan, host.name)]));
    this.#default = settings.default === undefined ? undefined : this.#plans.get(settings.default);
    if (settings.default !== undefined && this.#default === undefined)
      throw new Error(`The default plan ${settings.default} of policy ${host.name} does not exist.`);
  }

  before(exchange: Exchange): Awaitable<Reply | undefined> {
    const { consumer } = exchange;
    const account = consumer === undefined ? undefined : this.#accountOf(consumer);
    const bought = account === undefined ? this.#default : account.bought;
    if (bought === undefined) return this.#without(exchange);
    if (!bought.includes(exchange.route)) return this.#outside(exchange, bought);
    const visit = new Visit(exchange, account?.key ?? limitKey(exchange, { by: 'ip' }), bought);
    exchange.note(this, visit);
    if (bought.concurrency === undefined) return this.#count(visit, 0);
    const hold = this.#host.holds.acquire(visit.key, bought.concurrency);
    return hold instanceof Promise ? hold.then((late) => this.#held(visit, late)) : this.#held(visit, hold);
  }

  #accountOf(consumer: ConsumerEntry): Account {
    let account = this.#accounts.get(consumer);
    if (account === undefined || account.plan !== consumer.plan) {
      const { plan } = consumer;
      account = {
        key: consumerKey(consumer),
        bought: plan === undefined ? this.#default : this.#plans.get(plan),
        plan,
      };
      this.#accounts.set(consumer, account);
    }
    return account;
  }

  #held(visit: Visit, hold: Hold | undefined): Awaitable<Reply | undefined> {
    const { bought, exchange } = visit;
    if (hold === undefined) {
      this.#decide(visit, `${bought.concurrency} in progress, the most of plan ${bought.name}`, true);
      return problem(exchange, {
        ...answerOf(PROBLEMS.concurrency),
        detail: `At most ${bought.concurrency} can be in progress at the same time.`,
        headers: { 'retry-after': '1' },
        extensions: { 'violated-policies': [this.#host.name] },
      });
    }
    // The exchange has ended while the store was asked.
    if (visit.ended) hold.release();
    else visit.hold = hold;
    return this.#count(visit, 0);
  }

  /**
   * Counts the request in every rate of the plan. Of several, each is asked first without counting: a request that one of them
   * refuses uses nothing of the others. Steps: ask 0, ask 1 ..., take 0, take 1 ...
   */
  #count(visit: Visit, first: number): Awaitable<Reply | undefined> {
    const { rates } = visit.bought;
    const asks = rates.length > 1 ? rates.length : 0;
    for (let step = first; step < asks + rates.length; step++) {
      const cost = step < asks ? 0 : 1;
      const { suffix, rate } = rates[step < asks ? step : step - asks]!;
      const answer = this.#limiter.take(visit.key + suffix, rate, cost, this.#host.clock.monotonic());
      if (answer instanceof Promise) return answer.then((late) => this.#countLater(visit, step, late));
      // The refusal itself is counted.
      if (cost === 0 && !answer.allowed) step += asks - 1;
      else if (cost === 1) {
        const refused = this.#counted(visit, step - asks, answer);
        if (refused !== undefined) return refused;
      }
    }
    this.#decide(visit, undefined, false);
    return undefined;
  }

  #countLater(visit: Visit, step: number, answer: LimitAnswer): Awaitable<Reply | undefined> {
    const { rates } = visit.bought;
    const asks = rates.length > 1 ? rates.length : 0;
    if (step < asks) return this.#count(visit, answer.allowed ? step + 1 : step + asks);
    return this.#counted(visit, step - asks, answer) ?? this.#count(visit, step + 1);
  }

  #counted(visit: Visit, at: number, answer: LimitAnswer): Reply | undefined {
    const { bought, exchange, key } = visit;
    const { fields, policyField, rate } = bought.rates[at]!;
    if (this.#fields || !answer.allowed) visit.fields[at] = fields.after(policyField, answer);
    if (answer.allowed) return undefined;
    this.#decide(visit, `${answer.remaining} of ${rate.capacity} left for ${key} by plan ${bought.name}`, true);
    return rateRefusal(exchange, {
      problem: PROBLEMS.rate,
      policy: this.#host.name,
      rate,
      answer,
      fields: this.#fields ? visit.fields[at] : undefined,
    });
  }

  after(exchange: Exchange, reply: Reply): undefined {
    const visit = exchange.noted(this);
    if (!this.#fields || !(visit instanceof Visit)) return;
    for (const { policyField, stateField } of visit.fields) {
      reply.headers.add(policyField);
      reply.headers.add(stateField);
    }
  }

  finished(exchange: Exchange): void {
    const visit = exchange.noted(this);
    if (!(visit instanceof Visit)) return;
    visit.ended = true;
    visit.hold?.release();
  }

  #without(exchange: Exchange): Reply {
    const why = exchange.consumer === undefined ? 'no consumer' : `consumer ${exchange.consumer.name} has no plan`;
    exchange.decisions?.push({ step: this.#host.name, use: 'plan', outcome: 'answer', why });
    return problem(exchange, { ...answerOf(PROBLEMS.none), cause: why });
  }

  #outside(exchange: Exchange, { name }: Bought): Reply {
    const why = `plan ${name} does not include the route`;
    exchange.decisions?.push({ step: this.#host.name, use: 'plan', outcome: 'answer', why, details: { plan: name } });
    return problem(exchange, { ...answerOf(PROBLEMS.route), cause: why });
  }

  #decide({ exchange, bought, hold, key, fields }: Visit, refused: string | undefined, answers: boolean): void {
    if (exchange.decisions === undefined) return;
    const left = fields.map(({ remaining }, at) => `${remaining} of ${bought.rates[at]!.rate.capacity} left`);
    const running = hold === undefined ? [] : [`${hold.taken} of ${bought.concurrency} in progress`];
    const state = [...left, ...running].join(', ');
    exchange.decisions.push({
      step: this.#host.name,
      use: 'plan',
      outcome: answers ? 'answer' : 'pass',
      why: refused ?? `plan ${bought.name}${state === '' ? '' : `: ${state}`}`,
      details: { plan: bought.name, key },
    });
  }
}

const answerOf = ({ code, status, title }: (typeof PROBLEMS)[keyof typeof PROBLEMS]) => ({ code, status, title });
