/** What is wrong with the rules of a config. */
import { isDeepStrictEqual } from 'node:util';
import type { PolicyContext, PolicyProblem } from '../contract.js';
import { conditionsSet, type PlacedRule, placedRules } from './rules.js';
import type { AllowConfig, Conditions } from './schema.js';

type Report = (problem: PolicyProblem) => void;

export function lintRules(config: AllowConfig, context: PolicyContext, report: Report): void {
  const rules = placedRules(config);
  if (rules.every(({ effect }) => effect === 'deny'))
    report({
      code: 'allow/no-rule',
      severity: 'error',
      at: [],
      message: 'No rule of this policy allows anything, so it refuses every request.',
      help: 'Add a rule, for example `groups = ["staff"]`. A rule without conditions allows everything that `deny` does not refuse: `rules = [{}]`.',
    });
  for (const { at, effect, name, rule } of rules)
    if (effect === 'deny' && conditionsSet(rule).length === 0)
      report({
        code: 'allow/no-rule',
        severity: 'error',
        at,
        message: `Rule \`${name}\` has no conditions, so it denies every request.`,
        help: 'Add a condition, or remove the rule: what no rule allows is refused anyway.',
      });
  const [beside] = conditionsSet(config);
  if (beside !== undefined && config.rules.length > 0)
    report({
      code: 'allow/two-forms',
      severity: 'error',
      at: [beside],
      message: 'The policy has `rules` and, beside them, conditions: they would be one more rule.',
      help:
        beside === 'when'
          ? 'Move `when` into a rule. An allow policy has no condition that skips it: what no rule allows is refused.'
          : 'Move the conditions into a rule.',
      related: [{ at: ['rules'], message: 'the rules' }],
    });
  const names = new Map<string, PlacedRule>();
  for (const placed of rules) {
    const first = names.get(placed.name);
    if (first === undefined) names.set(placed.name, placed);
    else
      report({
        code: 'allow/rule-name',
        severity: 'error',
        at: placed.named ? [...placed.at, 'name'] : placed.at,
        message: `Two rules are named \`${placed.name}\`, so the access log could not say which one decided.`,
        help: 'Give each rule a name of its own.',
        related: [{ at: first.at, message: 'the other rule' }],
      });
    lintRule(placed, context, report);
  }
  lintCovered(
    rules.filter((placed) => faultOf(placed, context) === undefined),
    report,
  );
}

/** Reports rules that decide nothing, since each of their requests is decided by another rule first. */
function lintCovered(rules: readonly PlacedRule[], report: Report): void {
  const deny = rules.filter(({ effect }) => effect === 'deny');
  const inOrder = [...deny, ...rules.filter(({ effect }) => effect === 'allow')];
  for (const [index, placed] of inOrder.entries()) {
    const first = inOrder.slice(0, index).find(({ rule }) => covers(rule, placed.rule));
    // A rule without conditions that denies is an error by itself.
    if (first === undefined || (first.effect === 'deny' && conditionsSet(first.rule).length === 0)) continue;
    const decides = first.effect === 'deny' ? 'denies' : 'allows';
    report({
      code: 'allow/never',
      severity: 'warning',
      at: placed.at,
      message: `Rule \`${first.name}\` ${decides} every request that rule \`${placed.name}\` could decide, so that one never holds.`,
      help:
        first.effect === 'deny'
          ? 'Make the rule that denies narrower, or remove the other one.'
          : 'Remove one of them.',
      related: [{ at: first.at, message: `rule \`${first.name}\`` }],
    });
  }
}

/** Conditions of which one value is enough: more values hold more often. */
const ONE_OF = ['consumers', 'groups', 'roles', 'methods'] as const;

/** Whether a rule certainly holds whenever the other one does. */
function covers(rule: Conditions, other: Conditions): boolean {
  return conditionsSet(rule).every((key) => {
    const [mine, theirs] = [rule[key], other[key]];
    if (theirs === undefined) return false;
    if ((ONE_OF as readonly string[]).includes(key))
      return isPart(theirs as readonly string[], mine as readonly string[]);
    if (key === 'scopes') return isPart(mine as readonly string[], theirs as readonly string[]);
    return isDeepStrictEqual(mine, theirs);
  });
}

const isPart = (some: readonly string[], all: readonly string[]): boolean => some.every((one) => all.includes(one));

/** Reports why a rule can never hold: the first reason. */
function lintRule(placed: PlacedRule, context: PolicyContext, report: Report): void {
  const fault = faultOf(placed, context);
  if (fault === undefined) return;
  const { at, message, help } = fault;
  const effect = placed.effect === 'deny' ? 'denies' : 'allows';
  report({
    code: 'allow/never',
    severity: 'warning',
    at: [...placed.at, ...at],
    message: `${message} So rule \`${placed.name}\` never ${effect} anything.`,
    help,
  });
}

interface Fault {
  readonly at: readonly (string | number)[];
  readonly message: string;
  readonly help: string;
}

const faultOf = (placed: PlacedRule, context: PolicyContext): Fault | undefined =>
  consumerFault(placed, context) ?? methodFault(placed, context) ?? timeFault(placed);

function consumerFault({ rule }: PlacedRule, { consumers, moreConsumers }: PolicyContext): Fault | undefined {
  // Consumers that are not part of the spec may have every name and every group.
  if (moreConsumers) return undefined;
  const { consumers: names, groups } = rule;
  const known = consumers.filter(({ name }) => names === undefined || names.includes(name));
  if (names !== undefined && known.length === 0)
    return {
      at: ['consumers'],
      message: `No consumer is named ${quoted(names)}.`,
      help: 'Correct the name, or declare the consumer.',
    };
  if (groups === undefined || known.some((consumer) => groups.some((group) => consumer.groups.includes(group))))
    return undefined;
  if (names === undefined || !consumers.some((consumer) => groups.some((group) => consumer.groups.includes(group))))
    return {
      at: ['groups'],
      message: `No consumer is in the group ${quoted(groups)}.`,
      help: 'Correct the name, or add the group to a consumer: `groups = ["NAME"]`.',
    };
  return {
    at: ['groups'],
    message: `None of the consumers of the rule is in the group ${quoted(groups)}.`,
    help: 'All conditions of a rule must hold. For one or the other, write two rules.',
  };
}

const quoted = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(' or ');

function methodFault({ rule }: PlacedRule, { routes }: PolicyContext): Fault | undefined {
  const { methods } = rule;
  if (methods === undefined || routes.length === 0) return undefined;
  // A route with GET also answers HEAD.
  const takes = (method: string, taken: readonly string[]): boolean =>
    taken.length === 0 || taken.includes(method) || (method === 'HEAD' && taken.includes('GET'));
  if (routes.some((route) => methods.some((method) => takes(method, route.methods)))) return undefined;
  return {
    at: ['methods'],
    message: `No route with this policy takes ${methods.join(' or ')}.`,
    help: 'Correct the method, or remove the rule.',
  };
}

function timeFault({ rule: { time } }: PlacedRule): Fault | undefined {
  if (time?.until === undefined) return undefined;
  const at = ['time', 'until'] as const;
  if (time.from !== undefined && time.from >= time.until)
    return { at, message: '`until` is not after `from`.', help: 'Exchange them.' };
  if (time.until > Date.now()) return undefined;
  return { at, message: '`until` is in the past.', help: 'Remove the rule, or set a later moment.' };
}
