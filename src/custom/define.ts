/** definePolicy() and defineAction(). */
import type { Json } from '../bundle/types.js';
import {
  type ActionDefinition,
  type DefinedAction,
  type DefinedPolicy,
  KIND,
  type PolicyDefinition,
} from './definition.js';

/** A definition whose settings are its config. */
type Plain<Definition> = Omit<Definition, 'compile'> & { readonly compile?: never };

/**
 * Defines a policy: the default export of the module that `use` names.
 * @returns the definition, for gw and for tests.
 */
export function definePolicy<Config, Settings extends Json>(
  definition: PolicyDefinition<Config, Settings> & Required<Pick<PolicyDefinition<Config, Settings>, 'compile'>>,
): DefinedPolicy;
export function definePolicy<Config>(definition: Plain<PolicyDefinition<Config, Config & Json>>): DefinedPolicy;
export function definePolicy(definition: object): DefinedPolicy {
  return { ...definition, [KIND]: 'policy' } as DefinedPolicy;
}

/**
 * Defines an action: the default export of the module that `action = { use = "..." }` names.
 * @returns the definition, for gw and for tests.
 */
export function defineAction<Config, Settings extends Json>(
  definition: ActionDefinition<Config, Settings> & Required<Pick<ActionDefinition<Config, Settings>, 'compile'>>,
): DefinedAction;
export function defineAction<Config>(definition: Plain<ActionDefinition<Config, Config & Json>>): DefinedAction;
export function defineAction(definition: object): DefinedAction {
  return { ...definition, [KIND]: 'action' } as DefinedAction;
}
