/** The kinds of policy, duty halves, for the control thread. Derived: `npm run registry` writes it from the folders here. */
import { createDuty as block } from './block/duty.js';
import type { CreateDuty } from './contract.js';
import { createDuty as introspect } from './introspect/duty.js';
import { createDuty as jwt } from './jwt/duty.js';
import { createDuty as oidc } from './oidc/duty.js';
import { createDuty as upstreamAuth } from './upstream-auth/duty.js';

export const dutyHalves: { readonly [use: string]: CreateDuty } = {
  block,
  introspect,
  jwt,
  oidc,
  'upstream-auth': upstreamAuth,
};
