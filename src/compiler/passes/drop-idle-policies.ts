/** Drops policies whose compile() returned no settings: they have no effect. */
import { counted } from '../../plural.js';
import { type Pass, passStats } from '../ir.js';

export const dropIdlePolicies: Pass = (ir) => {
  const dropped = new Set<string>();
  const routes = ir.routes.map((route) => {
    if (route.policies.every((policy) => policy.settings !== undefined)) return route;
    for (const policy of route.policies) if (policy.settings === undefined) dropped.add(policy.name);
    return { ...route, policies: route.policies.filter((policy) => policy.settings !== undefined) };
  });
  const names = [...dropped];
  const summary = `dropped ${counted(names.length, 'policy')} that cannot act`;
  return {
    ir: names.length === 0 ? ir : { ...ir, routes },
    stats: passStats('idle-policies', names.length, summary, names),
  };
};
