/** Why a credential of a consumer is not accepted, although it is the right one. */
import type { CredentialEntry } from '../contract.js';
import { AddressSet, encodeAddresses } from './addresses.js';

export class CredentialFaults {
  readonly #addresses = new WeakMap<CredentialEntry, AddressSet>();

  /** A phrase for logs, which follows the name of the credential. `now`: milliseconds since 1970. Undefined: it is accepted. */
  of(credential: CredentialEntry, address: string, now: number): string | undefined {
    const { disabled, expires, addresses } = credential;
    if (disabled === true) return 'is disabled';
    if (expires !== undefined && expires <= now) return `expired at ${new Date(expires).toISOString()}`;
    if (addresses === undefined || this.#addressesOf(credential, addresses).has(address)) return undefined;
    return `is not for the address ${address}`;
  }

  #addressesOf(credential: CredentialEntry, addresses: readonly string[]): AddressSet {
    let set = this.#addresses.get(credential);
    if (set === undefined) {
      set = new AddressSet(encodeAddresses(addresses));
      this.#addresses.set(credential, set);
    }
    return set;
  }
}
