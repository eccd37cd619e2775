/** allow at run time: the first rule that denies decides, then the first that allows; otherwise the request is refused. */
import type { Exchange, PolicyHost, PolicyInstance, Reply } from '../contract.js';
import { authProblem, problem, runPolicy } from '../run-kit.js';
import { PROBLEMS } from './problems.js';
import { Failed, needsCaller, Rule, WHY } from './rule.js';
import type { AllowSettings } from './schema.js';

export const create = runPolicy<AllowSettings>((settings, host) => new AllowPolicy(settings, host));

class AllowPolicy implements PolicyInstance {
  readonly #name: string;
  readonly #rules: readonly Rule[];
  readonly #deny: readonly Rule[];
  /** For the access log, by the index of the rule. */
  readonly #ruleNames: readonly string[];
  readonly #denyNames: readonly string[];
  readonly #default: string;

  constructor({ rules, deny, roleClaims }: AllowSettings, host: PolicyHost) {
    const { name } = host;
    this.#name = name;
    this.#rules = rules.map((rule) => new Rule(rule, roleClaims, host));
    this.#deny = deny.map((rule) => new Rule(rule, roleClaims, host));
    this.#ruleNames = rules.map((rule) => `${name}/${rule.name}`);
    this.#denyNames = deny.map((rule) => `${name}/${rule.name}`);
    this.#default = `${name}/default`;
  }

  before(exchange: Exchange): Reply | undefined {
    for (let at = 0; at < this.#deny.length; at++)
      if (this.#deny[at]!.test(exchange) === Failed.Nothing) return this.#denied(exchange, at);
    /** Of the rules that do not hold, the one that comes closest. */
    let closest: Failed = Failed.Nothing;
    let lacking: Rule | undefined;
    for (let at = 0; at < this.#rules.length; at++) {
      const rule = this.#rules[at]!;
      const failed = rule.test(exchange);
      if (failed === Failed.Nothing) {
        exchange.rule = this.#ruleNames[at];
        exchange.decisions?.push(this.#decision('pass', `rule ${rule.name} allows`, rule.name));
        return undefined;
      }
      if (failed > closest) closest = failed;
      if (failed === Failed.Scope) lacking ??= rule;
    }
    return this.#unallowed(exchange, closest, lacking);
  }

  #denied(exchange: Exchange, index: number): Reply {
    const { name } = this.#deny[index]!;
    const cause = `rule ${name} denies`;
    exchange.rule = this.#denyNames[index];
    exchange.decisions?.push(this.#decision('answer', cause, name));
    return problem(exchange, { ...PROBLEMS.forbidden, cause });
  }

  /** No rule allows the request. Credentials are asked for only if a caller with credentials might be allowed. */
  #unallowed(exchange: Exchange, closest: Failed, lacking: Rule | undefined): Reply {
    exchange.rule = this.#default;
    if (exchange.decisions !== undefined) {
      const reasons = this.#rules.map((rule) => `${rule.name}: ${WHY[rule.test(exchange)]}`);
      const why = reasons.length === 0 ? 'no rule allows anything' : `no rule allows it (${reasons.join('; ')})`;
      exchange.decisions.push(this.#decision('answer', why, 'default'));
    }
    const { absent } = exchange;
    if (absent !== undefined && needsCaller(closest)) {
      const { code, title } = PROBLEMS.missing;
      const reply = authProblem(
        exchange,
        absent.map((each) => ({ ...each, status: 401, code, title })),
      );
      return Object.assign(reply, { cause: 'no rule allows a caller without credentials' });
    }
    if (lacking !== undefined) return this.#insufficient(exchange, lacking);
    return problem(exchange, { ...PROBLEMS.forbidden, cause: 'no rule allows it' });
  }

  /** RFC 6750 section 3.1: names the scopes that are needed. */
  #insufficient(exchange: Exchange, { name, scopes }: Rule): Reply {
    const scope = scopes.join(' ');
    // The error belongs to the schemes of tokens.
    const own = exchange.challenge === undefined || /^(Bearer|DPoP)\b/i.test(exchange.challenge);
    const base = own ? (exchange.challenge ?? (exchange.claims === undefined ? undefined : 'Bearer')) : undefined;
    const challenge = `${base}${base?.includes(' ') ? ',' : ''} error="insufficient_scope", scope="${scope}"`;
    return problem(exchange, {
      ...PROBLEMS.scope,
      detail: `The request needs the scope ${scope}.`,
      cause: `rule ${name} needs the scope ${scope}`,
      ...(base === undefined ? {} : { headers: { 'www-authenticate': challenge } }),
    });
  }

  #decision(outcome: 'pass' | 'answer', why: string, rule: string) {
    return { step: this.#name, use: 'allow', outcome, why, details: { rule } };
  }
}
