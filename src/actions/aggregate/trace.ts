/** W3C Trace Context: each call is a span of its own in the trace of the caller. */
import type { CallRequest } from '../../policies/contract.js';

type Fields = readonly (readonly [name: string, value: string])[];

export interface TracedCall {
  readonly headers: NonNullable<CallRequest['headers']>;
  /** Id of the span: 16 hexadecimal digits. */
  readonly span?: string;
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;
const ZEROS = /^0+$/;
/** Flags that are known: sampled, and random trace id. */
const KNOWN_FLAGS = 0x03;

/**
 * The fields of a call with a span id of its own as the parent id. Without a valid `traceparent`, with several, or with one that the
 * call sets itself (`own` are its fields), the fields are as they are. `random`: from 0 up to 1.
 */
export function traced(
  headers: Fields,
  own: readonly (readonly [string, ...unknown[]])[],
  random: () => number,
): TracedCall {
  const at = headers.findIndex(isParent);
  if (at < 0 || headers.findLastIndex(isParent) !== at || own.some(isParent)) return { headers };
  const parts = TRACEPARENT.exec(headers[at]![1].trim());
  if (parts === null) return { headers };
  const [whole, version = '', trace = '', parent = '', flags = ''] = parts;
  const isLonger = whole.length > 55;
  if (version === 'ff' || (version === '00' && isLonger) || ZEROS.test(trace) || ZEROS.test(parent)) return { headers };
  const span = idOf(random);
  // A later version is written as the one that is known, without what that does not define.
  const known = (Number.parseInt(flags, 16) & KNOWN_FLAGS).toString(16).padStart(2, '0');
  const field = `00-${trace}-${span}-${known}`;
  return { span, headers: headers.with(at, ['traceparent', field]) };
}

const isParent = ([name]: readonly [string, ...unknown[]]): boolean => name === 'traceparent';

/** Eight bytes that are not all zero. */
function idOf(random: () => number): string {
  const half = (): string =>
    Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0');
  const id = half() + half();
  return ZEROS.test(id) ? `${id.slice(1)}1` : id;
}
