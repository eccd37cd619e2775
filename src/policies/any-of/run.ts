/** any-of at run time: tries its members in order, until one finds a credential. */
import type {
  Absent,
  Authentication,
  AuthProblem,
  Awaitable,
  CollectBody,
  Exchange,
  Identity,
  PolicyHost,
  PolicyInstance,
  Reply,
} from '../contract.js';
import { runPolicy } from '../run-kit.js';
import { PROBLEMS } from './problems.js';
import type { AnyOfSettings } from './schema.js';

export const create = runPolicy<AnyOfSettings>((settings, host) => new AnyOfPolicy(settings, host));

/** An instance that authenticates. */
type Authenticator = PolicyInstance & Required<Pick<PolicyInstance, 'authenticate'>>;

class AnyOfPolicy implements PolicyInstance {
  readonly requestFields: readonly string[];
  readonly clientFields: readonly string[];
  readonly identityFields: readonly string[];
  readonly passedFields: readonly string[];
  readonly secretParams: readonly string[];
  readonly #host: PolicyHost;
  readonly #members: readonly Authenticator[];
  readonly #anonymous: string | undefined;
  /** Only if a member has the hook: a chain without reply hooks is faster. */
  readonly after?: NonNullable<PolicyInstance['after']>;
  readonly finished?: NonNullable<PolicyInstance['finished']>;
  readonly ownsCookie?: NonNullable<PolicyInstance['ownsCookie']>;

  constructor({ members, anonymous }: AnyOfSettings, host: PolicyHost) {
    this.#host = host;
    this.#anonymous = anonymous;
    this.#members = members.map((name) => authenticatorOf(name, host.member(name)));
    this.requestFields = this.#members.flatMap(({ requestFields = [] }) => requestFields);
    this.clientFields = this.#members.flatMap(({ clientFields = [] }) => clientFields);
    this.identityFields = this.#members.flatMap(({ identityFields = [] }) => identityFields);
    this.passedFields = this.#members.flatMap(({ passedFields = [] }) => passedFields);
    const instances = members.map((name) => host.member(name));
    if (instances.some(({ after }) => after !== undefined)) this.after = afterAll(instances);
    if (instances.some(({ finished }) => finished !== undefined))
      this.finished = (exchange, end) => {
        for (const instance of instances) instance.finished?.(exchange, end);
      };
    if (instances.some(({ ownsCookie }) => ownsCookie !== undefined))
      this.ownsCookie = (name) => instances.some((instance) => instance.ownsCookie?.(name) === true);
    this.secretParams = this.#members.flatMap(({ secretParams = [] }) => secretParams);
  }

  authenticate(exchange: Exchange, collect: CollectBody): Awaitable<Authentication> {
    return this.#try(exchange, collect, 0, []);
  }

  /** Only a missing credential leads on to the next member: a wrong one is refused, and an outage never opens the route. */
  #try(exchange: Exchange, collect: CollectBody, first: number, absent: Absent[]): Awaitable<Authentication> {
    for (let at = first; at < this.#members.length; at++) {
      const found = this.#members[at]!.authenticate(exchange, collect);
      if (found instanceof Promise) return this.#later(exchange, collect, at, absent, found);
      if (found.outcome !== 'absent') return found;
      absent.push(found);
    }
    return this.#none(absent);
  }

  async #later(
    exchange: Exchange,
    collect: CollectBody,
    at: number,
    absent: Absent[],
    pending: Promise<Authentication>,
  ): Promise<Authentication> {
    const found = await pending;
    if (found.outcome !== 'absent') return found;
    absent.push(found);
    return this.#try(exchange, collect, at + 1, absent);
  }

  #none(absent: readonly Absent[]): Identity | Absent {
    const name = this.#anonymous;
    if (name === undefined) return this.#missing(absent, 'no credential');
    const consumer = this.#host.consumers.byName(name);
    // It may come from a file of consumers, which changes without a reload: without it, requests are refused.
    if (consumer === undefined) return this.#missing(absent, `no credential; the consumer ${name} does not exist`);
    const why = `no credential; the anonymous consumer is ${name}`;
    return { outcome: 'identity', consumer, absent: problemOf(absent), why };
  }

  #missing(absent: readonly Absent[], why: string): Absent {
    return { outcome: 'absent', why, problem: problemOf(absent), reply: replyOf(absent) };
  }

  strip(exchange: Exchange): void {
    for (const member of this.#members) member.strip?.(exchange);
  }
}

/** after() of all members: each looks at what it has noted of the exchange. A reply that one returns takes the place of the other. */
const afterAll =
  (instances: readonly PolicyInstance[]): NonNullable<PolicyInstance['after']> =>
  (exchange, given) => {
    let reply = given;
    for (const [at, instance] of instances.entries()) {
      const edited = instance.after?.(exchange, reply);
      if (edited instanceof Promise) {
        const rest = afterAll(instances.slice(at + 1));
        return edited.then(async (late) => (await rest(exchange, late ?? reply)) ?? late ?? reply);
      }
      reply = edited ?? reply;
    }
    return reply;
  };

/** Throws if the policy does not authenticate. */
function authenticatorOf(name: string, instance: PolicyInstance): Authenticator {
  if (instance.authenticate === undefined) throw new Error(`The policy ${name} does not authenticate.`);
  // A view on the instance: its hooks need `this`.
  return {
    authenticate: (exchange, collect) => instance.authenticate!(exchange, collect),
    strip: (exchange) => instance.strip?.(exchange),
    requestFields: instance.requestFields ?? [],
    clientFields: instance.clientFields ?? [],
    identityFields: instance.identityFields ?? [],
    passedFields: instance.passedFields ?? [],
    secretParams: instance.secretParams ?? [],
  };
}

/** The reply of the first member that has one. A 401 also has the challenges of the members without a reply. */
function replyOf(absent: readonly Absent[]): Reply | undefined {
  const reply = absent.find((each) => each.reply !== undefined)?.reply;
  if (reply?.status !== 401) return reply;
  for (const { reply: own, problem } of absent) {
    if (own === reply) continue;
    if (problem.challenge !== undefined) reply.headers.append('www-authenticate', problem.challenge);
    for (const [name, value] of Object.entries(problem.headers ?? {})) reply.headers.append(name, value);
  }
  return reply;
}

/** All challenges in one field, RFC 9110 section 11.6.1. */
function problemOf(absent: readonly Absent[]): AuthProblem {
  const challenges = absent.map(({ problem }) => problem.challenge).filter((one) => one !== undefined);
  return {
    ...PROBLEMS.missing,
    detail: absent
      .map(({ problem }) => problem.detail)
      .filter((detail) => detail !== undefined)
      .join(' Or: '),
    ...(challenges.length === 0 ? {} : { challenge: challenges.join(', ') }),
    headers: Object.assign({}, ...absent.map(({ problem }) => problem.headers)) as { [name: string]: string },
  };
}
