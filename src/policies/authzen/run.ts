/** authzen at run time: asks the policy decision point, and does what it says. An outage never opens a route. */
import * as crypto from 'node:crypto';
import type { CallReply, Exchange, PolicyHost, PolicyInstance, Reply } from '../contract.js';
import { freshFor } from '../kits/http-cache/freshness.js';
import { authProblem, callFailure, problem, runPolicy } from '../run-kit.js';
import { type Verdict, verdictOf } from './decision.js';
import { Endpoints, MetadataError, resolved } from './endpoints.js';
import { PROBLEMS } from './problems.js';
import { Questions } from './request.js';
import type { AuthzenSettings } from './schema.js';

export const create = runPolicy<AuthzenSettings>((settings, host) => new AuthzenPolicy(settings, host));

/** No decision: an outage, or an answer that is none. */
type Found = Verdict | { readonly outage: string };

class AuthzenPolicy implements PolicyInstance {
  readonly #settings: AuthzenSettings;
  readonly #host: PolicyHost;
  readonly #questions: Questions;
  readonly #endpoints: Endpoints;
  readonly #fields: readonly (readonly [string, string])[];
  /** Questions on their way whose answers are kept, by key: equal ones are asked once. */
  readonly #pending = new Map<string, Promise<Found>>();
  #permitted = 0;
  #denied = 0;
  #failed = 0;

  constructor(settings: AuthzenSettings, host: PolicyHost) {
    this.#settings = settings;
    this.#host = host;
    this.#questions = new Questions(settings);
    this.#endpoints = new Endpoints(settings, host);
    this.#fields = [
      ['content-type', 'application/json'],
      ['accept', 'application/json'],
      ...resolved(settings.headers),
    ];
  }

  async before(exchange: Exchange): Promise<Reply | undefined> {
    const { body, lacks } = this.#questions.of(exchange);
    if (lacks !== undefined) return this.#lacking(exchange, lacks);
    const found = await this.#found(exchange, body);
    if ('outage' in found) return this.#unavailable(exchange, found.outage);
    return found.permit ? this.#permit(exchange, found) : this.#deny(exchange, found);
  }

  async #found(exchange: Exchange, body: string): Promise<Found> {
    const { ttl } = this.#settings;
    if (ttl === undefined) return this.#ask(body, exchange);
    // The store bounds keys.
    const key = crypto.hash('sha256', body, 'hex');
    const kept = await this.#host.cache.get(key);
    if (kept !== undefined) return JSON.parse(kept) as Verdict;
    const known = this.#pending.get(key);
    if (known !== undefined) return known;
    const pending = this.#ask(body, undefined, key).finally(() => this.#pending.delete(key));
    this.#pending.set(key, pending);
    return pending;
  }

  /** `exchange`: the question ends with it. A question that several requests wait for belongs to none. */
  async #ask(body: string, exchange: Exchange | undefined, key?: string): Promise<Found> {
    const { checks, maxAnswer: maxReply, obligations, permit, service, timeout } = this.#settings;
    const requestedAt = this.#host.clock.now();
    let reply: CallReply;
    try {
      const path = await this.#endpoints.pathOf(checks.length === 0 ? 'evaluation' : 'evaluations');
      const request = { method: 'POST', path, headers: this.#fields, body, timeout, maxReply };
      reply = await this.#host.call(service, exchange === undefined ? request : { ...request, exchange });
    } catch (error) {
      const cause = error instanceof MetadataError ? error.message : callFailure(error)?.cause;
      if (cause === undefined) throw error;
      return { outage: `${service}: ${cause}` };
    }
    if (reply.status !== 200) return { outage: `${service}: answered with ${reply.status}` };
    const verdict = verdictOf(reply.body, checks.length, permit, obligations);
    if (verdict === undefined) return { outage: `${service}: the answer is not one of the AuthZEN API` };
    if (key !== undefined) await this.#keep(key, verdict, reply, requestedAt);
    return verdict;
  }

  async #keep(key: string, verdict: Verdict, { headers }: CallReply, requestedAt: number): Promise<void> {
    const ttl = this.#settings.ttl!;
    const times = { requestedAt, receivedAt: this.#host.clock.now() };
    const fresh = freshFor((name) => headers.get(name), times, { shared: false }) ?? ttl;
    if (fresh > 0) await this.#host.cache.set(key, JSON.stringify(verdict), Math.min(ttl, fresh));
  }

  /** Nothing is asked about an unknown subject or resource. */
  #lacking(exchange: Exchange, lacks: string): Reply {
    const why = `${lacks} is empty`;
    exchange.rule = `${this.#host.name}/${lacks}`;
    this.#denied++;
    this.#decide(exchange, 'answer', why);
    const { absent } = exchange;
    if (absent === undefined || !lacks.startsWith('subject.'))
      return problem(exchange, { ...PROBLEMS.forbidden, cause: why });
    const { code, title } = PROBLEMS.missing;
    return authProblem(
      exchange,
      absent.map((each) => ({ ...each, status: 401, code, title })),
    );
  }

  #permit(exchange: Exchange, verdict: Verdict): undefined {
    exchange.rule = `${this.#host.name}/${this.#nameOf(verdict) ?? 'permit'}`;
    this.#permitted++;
    this.#decide(exchange, 'pass', this.#told(verdict));
    return undefined;
  }

  #deny(exchange: Exchange, verdict: Verdict): Reply {
    exchange.rule = `${this.#host.name}/${this.#nameOf(verdict) ?? 'deny'}`;
    this.#denied++;
    const why = this.#told(verdict);
    this.#decide(exchange, 'answer', why);
    return problem(exchange, { ...PROBLEMS.forbidden, cause: why });
  }

  #unavailable(exchange: Exchange, outage: string): Reply {
    this.#failed++;
    this.#decide(exchange, 'answer', outage);
    return problem(exchange, { ...PROBLEMS.unavailable, cause: outage });
  }

  #nameOf({ check }: Verdict): string | undefined {
    return check === undefined ? undefined : this.#settings.checks[check]?.name;
  }

  #told(verdict: Verdict): string {
    const name = this.#nameOf(verdict);
    return name === undefined ? verdict.why : `check ${name}: ${verdict.why}`;
  }

  #decide({ decisions }: Exchange, outcome: 'pass' | 'answer', why: string): void {
    decisions?.push({ step: this.#host.name, use: 'authzen', outcome, why });
  }

  stats() {
    return { permitted: this.#permitted, denied: this.#denied, failed: this.#failed };
  }
}
