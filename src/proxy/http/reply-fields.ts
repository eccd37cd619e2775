/** The fields of a reply that do not belong to one hop. */
import { HeadFields } from './fields.js';
import type { ResponseHead } from './response-head.js';

/** The fields of a head that are sent on, without those of this hop and those that Connection lists. */
export function forwardedFields({ kept, listed }: Pick<ResponseHead, 'kept' | 'listed'>): HeadFields {
  const fields = new HeadFields(kept, 0, kept.length, kept, listed);
  if (listed !== '') for (const name of listed.split(',')) fields.remove(name);
  return fields;
}
