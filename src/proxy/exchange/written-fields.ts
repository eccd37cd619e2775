/** Names of request fields that clients must not send under another name which targets read as the same. */
import type { PolicyInstance } from '../../policies/contract.js';
import { CLIENT_CERT_FIELDS } from './client-certificate.js';

/** The value of `Generation.written`. */
export function writtenFields(instances: readonly PolicyInstance[]): ReadonlySet<string> {
  const fields = instances.flatMap(({ requestFields = [] }) => requestFields.map((name) => name.toLowerCase()));
  const names = new Set([...CLIENT_CERT_FIELDS, ...fields]);
  const written = new Set([...names].map(hyphenated));
  for (const name of instances.flatMap(({ clientFields = [] }) => clientFields.map((field) => field.toLowerCase()))) {
    if (name.includes('_') && !names.has(hyphenated(name))) written.add(name);
  }
  return written;
}

const hyphenated = (name: string): string => name.toLowerCase().replaceAll('_', '-');
