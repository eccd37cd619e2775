/**
 * Merges equal policies that are written in place on several routes, so that a generation builds one instance and the bundle
 * contains one entry. Only policies without state: two limits with equal numbers are still two limits.
 */
import { counted } from '../../plural.js';
import { type Pass, type PolicyIR, passStats } from '../ir.js';

export const shareSettings: Pass = (ir) => {
  const groups = new Map<string, PolicyIR[]>();
  const seen = new Set<PolicyIR>();
  for (const route of ir.routes) {
    for (const policy of route.policies) {
      if (!policy.mergeable || seen.has(policy)) continue;
      seen.add(policy);
      // Plain JSON is enough: settings of one declaration have one order of keys, and configs are sorted.
      const key = JSON.stringify([
        policy.use,
        policy.settings,
        policy.config,
        policy.when?.code,
        policy.when?.patterns,
      ]);
      const group = groups.get(key);
      if (group) group.push(policy);
      else groups.set(key, [policy]);
    }
  }
  const merged = new Map<PolicyIR, PolicyIR>();
  for (const group of groups.values()) {
    if (group.length < 2) continue;
    // The name shows that several routes share it; origins are those of the first place.
    const one: PolicyIR = { ...group[0]!, name: `*/${group[0]!.use}` };
    for (const policy of group) merged.set(policy, one);
  }
  const saved = merged.size - new Set(merged.values()).size;
  const routes = ir.routes.map((route) =>
    route.policies.some((policy) => merged.has(policy))
      ? { ...route, policies: route.policies.map((policy) => merged.get(policy) ?? policy) }
      : route,
  );
  return {
    ir: saved === 0 ? ir : { ...ir, routes },
    stats: passStats('equal-settings', saved, `shared the settings of ${counted(saved, 'policy')} with equal ones`),
  };
};
