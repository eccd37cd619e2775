/** The rules of a config in one list, with their places. */
import type { ConfigPath } from '../contract.js';
import type { AllowConfig, Conditions } from './schema.js';

export interface PlacedRule {
  readonly at: ConfigPath;
  readonly effect: 'allow' | 'deny';
  /** As written, or its number. */
  readonly name: string;
  /** Whether the name is written. */
  readonly named: boolean;
  readonly rule: Conditions;
}

const CONDITIONS = [
  'consumers',
  'groups',
  'scopes',
  'roles',
  'claims',
  'addresses',
  'methods',
  'time',
  'when',
] as const satisfies readonly (keyof Conditions)[];

/** The keys of conditions that are set. */
export const conditionsSet = (rule: Conditions): readonly (keyof Conditions)[] =>
  CONDITIONS.filter((key) => rule[key] !== undefined);

/** All rules, each with its place in the config. Without a name, a rule is called by its number. */
export function placedRules(config: AllowConfig): readonly PlacedRule[] {
  const single: PlacedRule[] =
    conditionsSet(config).length === 0 ? [] : [{ at: [], effect: 'allow', name: '1', named: false, rule: config }];
  const allow = config.rules.map((rule, index): PlacedRule => {
    const name = rule.name ?? String(single.length + index + 1);
    return { at: ['rules', index], effect: 'allow', name, named: rule.name !== undefined, rule };
  });
  const deny = config.deny.map((rule, index): PlacedRule => {
    const name = rule.name ?? `deny-${index + 1}`;
    return { at: ['deny', index], effect: 'deny', name, named: rule.name !== undefined, rule };
  });
  return [...single, ...allow, ...deny];
}
