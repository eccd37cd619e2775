/** The fields of a reply that do not belong to one hop. */
import { HeadFields } from './fields.js';
import { isEndToEnd, isOwnFraming } from './own-names.js';
import type { ResponseHead } from './response-head.js';

/** The fields of a head that are sent on, without those of this hop and those that Connection lists. */
export function forwardedFields({ kept, listed }: Pick<ResponseHead, 'kept' | 'listed'>): HeadFields {
  const fields = new HeadFields(kept, 0, kept.length, kept, listed);
  if (listed !== '') for (const name of listed.split(',')) fields.remove(name);
  return fields;
}

/**
 * Trailer fields that are forwarded to the client. Fields that frame, route or describe a message must not be in a
 * trailer section (RFC 9110 section 6.5.1): merged into the head, they would change the meaning of the message.
 */
export function trailerFields(lines: string): HeadFields {
  const fields = new HeadFields(lines, 0, lines.length, lines, '');
  for (const [name] of fields.receivedEntries()) if (isOwnFraming(name) || isEndToEnd(name)) fields.remove(name);
  return fields;
}
