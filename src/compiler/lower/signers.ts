/** The policies that sign the calls to services. */
import { PHASES } from '../../bundle/types.js';
import type { Model, PolicyModel, ServiceModel } from '../../spec/model.js';
import type { PolicyIR } from '../ir.js';

export type Signers = ReadonlyMap<ServiceModel, readonly PolicyIR[]>;

/** Only of services that something calls. A condition is about the request of a client, so a policy with one signs no calls. */
export function signersOf(model: Model, compiled: ReadonlyMap<PolicyModel, PolicyIR>): Signers {
  const signers = new Map<ServiceModel, readonly PolicyIR[]>();
  for (const service of new Set([...model.calls.values()].flat())) {
    const uses = model.servicePolicies.get(service) ?? [];
    const policies = new Set(uses.flatMap(({ policy }) => compiled.get(policy) ?? []));
    const signing = [...policies].filter(({ settings, when }) => settings !== undefined && when === undefined);
    if (signing.length > 0)
      signers.set(
        service,
        signing.sort((a, b) => PHASES.indexOf(a.phase) - PHASES.indexOf(b.phase)),
      );
  }
  return signers;
}
