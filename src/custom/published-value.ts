/** The values that duties publish. */
import type { Json } from '../bundle/types.js';

/** Largest published value, in bytes of its JSON. */
export const MAX_VALUE = 4 * 1024 * 1024;

/** A copy of the value. Throws if it is not JSON, or too large. */
export function publishedValue(value: Json): Json {
  const text = JSON.stringify(value);
  if (text === undefined) throw new TypeError('A published value must be JSON.');
  if (Buffer.byteLength(text) > MAX_VALUE)
    throw new RangeError(`A published value has more than ${MAX_VALUE} bytes as JSON.`);
  return JSON.parse(text) as Json;
}
