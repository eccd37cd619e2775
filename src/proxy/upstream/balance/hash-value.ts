/** The values of a request by which a consistent hash chooses its target. */
import type { HashKeyEntry } from '../../../bundle/service/balance.js';
import type { HeaderFields } from '../../../contract/index.js';
import { cookieField, cookieValues } from '../../../policies/kits/cookies.js';
import { addressKey } from '../../../state/connection-table.js';

/** The parts of an exchange that may be hashed. */
export interface HashedRequest {
  readonly headers: HeaderFields;
  readonly remoteAddress: string;
  readonly consumer: { readonly name: string } | undefined;
  rawParam(name: string): string | undefined;
}

/** Undefined if the request has none. An IPv6 address counts as its /64. */
export function hashValueOf(request: HashedRequest, { from, name }: HashKeyEntry): string | undefined {
  switch (from) {
    case 'header':
    case 'cookie':
      return fieldValueOf(request.headers, from, name);
    case 'address':
      return addressKey(request.remoteAddress);
    case 'consumer':
      return request.consumer?.name;
    case 'param':
      return request.rawParam(name);
  }
}

/** A field, or the first cookie of a name. */
export const fieldValueOf = (headers: HeaderFields, from: 'header' | 'cookie', name: string): string | undefined =>
  from === 'header' ? headers.get(name) : cookieValues(cookieField(headers), name)[0];
