/** What lint rules about access share: who authenticates on a route, and what its rules ask for. */
import type { Model, PolicyModel, RouteModel } from '../spec/model.js';
import { traitsOf } from './model-index.js';

/** What a policy with rules about access declares about each of them. */
export type AccessRule = NonNullable<ReturnType<typeof traitsOf>['access']>[number];

export const accessRulesOf = (policy: PolicyModel): readonly AccessRule[] => traitsOf(policy).access ?? [];

/** The authenticating policies of a route, with those that they compose; also conditional and optional ones. */
export function authenticatorsOf(model: Model, route: RouteModel): readonly PolicyModel[] {
  const found: PolicyModel[] = [];
  for (const { policy } of route.policies) {
    if (policy.phase !== 'authenticate') continue;
    const members = model.members.get(policy) ?? [];
    // Of a policy that composes others, the others know what callers can have.
    found.push(...(members.length === 0 ? [policy] : members));
  }
  return found;
}

/**
 * What callers can have on any of the routes, by what the policies that authenticate declare; undefined if that is not known, or
 * if nothing authenticates, which another rule reports.
 */
export function possibleOn(
  model: Model,
  routes: readonly RouteModel[],
  declared: (policy: PolicyModel) => readonly string[] | undefined,
): ReadonlySet<string> | undefined {
  const possible = new Set<string>();
  let authenticated = false;
  for (const route of routes) {
    if (route.policies.some(({ policy }) => policy.declaration.unchecked === true)) return undefined;
    for (const policy of authenticatorsOf(model, route)) {
      const names = declared(policy);
      if (names === undefined) return undefined;
      authenticated = true;
      for (const name of names) possible.add(name);
    }
  }
  return authenticated ? possible : undefined;
}

/** Whether something on the route may authenticate callers. The code of a custom policy that was not run may. */
export const mayAuthenticate = (route: RouteModel): boolean =>
  route.policies.some(({ policy }) => policy.phase === 'authenticate' || policy.declaration.unchecked === true);
