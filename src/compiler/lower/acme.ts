/** `[acme]` of the model as an entry. */
import type { AcmeEntry } from '../../bundle/acme-entry.js';
import { LETS_ENCRYPT, LETS_ENCRYPT_STAGING } from '../../spec/acme.js';
import { acmeChallenges, acmeHosts } from '../../spec/acme-hosts.js';
import type { Model } from '../../spec/model.js';
import { given } from '../ir.js';

/** Undefined: no listener needs it. */
export function lowerAcme(model: Model): AcmeEntry | undefined {
  const { acme } = model;
  const hosts = acmeHosts(model);
  if (acme === undefined || hosts.length === 0) return undefined;
  const { directory, external_account: externalAccount } = acme;
  const staging = acme.staging ?? (directory === LETS_ENCRYPT ? LETS_ENCRYPT_STAGING : undefined);
  return {
    ...given('ca', acme.ca),
    challenges: acmeChallenges(model),
    directory,
    ...given('email', acme.email),
    ...given('externalAccount', externalAccount && { id: externalAccount.id, key: externalAccount.key }),
    hosts,
    keyType: acme.key_type,
    ...given('renewBefore', acme.renew_before),
    ...given('staging', staging),
  };
}
