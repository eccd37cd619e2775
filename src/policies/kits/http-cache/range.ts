/**
 * Ranges of a stored complete reply, RFC 9110 section 14. The plan says which bytes to send and what comes before each part, so that
 * the caller sends views of the stored body.
 */
import { type FieldList, listOf, type ReadField, trimmed } from './fields.js';
import { isStrongDate, matchStrongly, parseEntityTag } from './validators.js';

/** Bytes of a body: `start` is the first, `end` the one after the last. */
export interface Slice {
  readonly start: number;
  readonly end: number;
}

export type RangePlan =
  /** Send the whole reply with 200. */
  | { readonly kind: 'whole' }
  /** Send 416 with this Content-Range. */
  | { readonly kind: 'unsatisfiable'; readonly contentRange: string }
  /** Send 206 with these bytes and this Content-Range. */
  | { readonly kind: 'single'; readonly slice: Slice; readonly contentRange: string; readonly length: number }
  /** Send 206 with this Content-Type and without Content-Range: each prelude, then its slice, then the epilogue. */
  | {
      readonly kind: 'multipart';
      readonly parts: readonly { readonly prelude: string; readonly slice: Slice }[];
      readonly epilogue: string;
      readonly contentType: string;
      /** Bytes of the content. */
      readonly length: number;
    };

const WHOLE: RangePlan = { kind: 'whole' };

/** Ranges beyond it: the field is ignored. */
const MOST_RANGES = 64;
/** Pairs of neighbours that overlap, beyond which the field is ignored, RFC 9110 section 14.2. */
const MOST_OVERLAPS = 2;

/** A range as it was written; a suffix has no `first`. */
interface RangeSpec {
  readonly first: number | undefined;
  /** For a suffix, the number of bytes. */
  readonly last: number | undefined;
}

/** The ranges of a Range field. Undefined if it is malformed, has another unit than bytes or too many ranges: it is ignored. */
export function parseRange(field: string): readonly RangeSpec[] | undefined {
  const text = trimmed(field);
  if (!/^bytes=/i.test(text)) return undefined;
  const elements = listOf(text.slice('bytes='.length), MOST_RANGES);
  if (elements === undefined || elements.length === 0) return undefined;
  const specs: RangeSpec[] = [];
  for (const element of elements) {
    const match = /^(\d*)-(\d*)$/.exec(element);
    if (match === null || element === '-') return undefined;
    const first = match[1] === '' ? undefined : Number(match[1]);
    const last = match[2] === '' ? undefined : Number(match[2]);
    if (first !== undefined && last !== undefined && last < first) return undefined;
    specs.push({ first, last });
  }
  return specs;
}

export interface RangeRequest {
  readonly method: string;
  readonly fields: ReadField;
}

export interface RangedReply {
  readonly status: number;
  readonly fields: ReadField;
  /** Bytes of the stored body. */
  readonly length: number;
  /** Milliseconds since 1970. */
  readonly receivedAt: number;
}

/**
 * What to send for the Range of a request, after its conditions have passed. `boundary` is for several ranges; it must not occur in
 * the body: choose it at random.
 */
export function planRange(request: RangeRequest, reply: RangedReply, boundary: string): RangePlan {
  const field = request.fields('range');
  if (field === undefined || request.method !== 'GET' || reply.status !== 200) return WHOLE;
  const specs = parseRange(field);
  if (specs === undefined || !rangeMayApply(request.fields('if-range'), reply)) return WHOLE;
  const { length } = reply;
  const slices = specs.map((spec) => sliceOf(spec, length)).filter((slice) => slice !== undefined);
  if (slices.length === 0) {
    // No byte of an empty body can be named, and the whole of it is what a suffix asks for.
    const whole = length === 0 && specs.some(({ first, last }) => first === undefined && last !== 0);
    return whole ? WHOLE : { kind: 'unsatisfiable', contentRange: `bytes */${length}` };
  }
  if (isAbusive(slices, length)) return WHOLE;
  const merged = merge(slices);
  return merged.length === 1 ? single(merged[0]!, length) : multipart(merged, reply, boundary);
}

/** The bytes of a range; undefined if the body has none of them, RFC 9110 section 14.1.2. */
function sliceOf({ first, last }: RangeSpec, length: number): Slice | undefined {
  if (first === undefined) {
    const start = Math.max(0, length - last!);
    return start < length ? { start, end: length } : undefined;
  }
  return first < length ? { start: first, end: Math.min(length, (last ?? Number.POSITIVE_INFINITY) + 1) } : undefined;
}

/** Whether ranges overlap so often, or ask for so many bytes, that no reader needs them. */
function isAbusive(slices: readonly Slice[], length: number): boolean {
  const sorted = [...slices].sort((a, b) => a.start - b.start || a.end - b.end);
  let [overlaps, reach, bytes] = [0, -1, 0];
  for (const { start, end } of sorted) {
    if (start < reach) overlaps++;
    reach = Math.max(reach, end);
    bytes += end - start;
  }
  return overlaps > MOST_OVERLAPS || (slices.length > 1 && bytes > length);
}

/** Neighbours in the order of the request that overlap or touch become one, RFC 9110 section 15.3.7.2. */
function merge(slices: readonly Slice[]): readonly Slice[] {
  const merged: Slice[] = [];
  for (const slice of slices) {
    const last = merged.at(-1);
    if (last !== undefined && slice.start <= last.end && slice.end >= last.start)
      merged[merged.length - 1] = { start: Math.min(last.start, slice.start), end: Math.max(last.end, slice.end) };
    else merged.push(slice);
  }
  return merged;
}

const contentRangeOf = ({ start, end }: Slice, length: number): string => `bytes ${start}-${end - 1}/${length}`;

const single = (slice: Slice, length: number): RangePlan => ({
  kind: 'single',
  slice,
  contentRange: contentRangeOf(slice, length),
  length: slice.end - slice.start,
});

/** RFC 9110 section 14.6. */
function multipart(slices: readonly Slice[], { fields, length }: RangedReply, boundary: string): RangePlan {
  const type = fields('content-type');
  let total = 0;
  const parts = slices.map((slice, at) => {
    const head = type === undefined ? '' : `Content-Type: ${type}\r\n`;
    const prelude = `${at === 0 ? '' : '\r\n'}--${boundary}\r\n${head}Content-Range: ${contentRangeOf(slice, length)}\r\n\r\n`;
    total += prelude.length + slice.end - slice.start;
    return { prelude, slice };
  });
  const epilogue = `\r\n--${boundary}--\r\n`;
  return {
    kind: 'multipart',
    parts,
    epilogue,
    contentType: `multipart/byteranges; boundary=${boundary}`,
    length: total + epilogue.length,
  };
}

/**
 * If-Range, RFC 9110 section 13.1.5: true without it; an ETag must be the same, both strong; a date must be exactly Last-Modified,
 * and that a strong validator.
 */
export function rangeMayApply(
  ifRange: string | undefined,
  { fields, receivedAt }: Pick<RangedReply, 'fields' | 'receivedAt'>,
): boolean {
  if (ifRange === undefined) return true;
  const tag = parseEntityTag(ifRange);
  if (tag !== undefined) {
    const own = parseEntityTag(fields('etag') ?? '');
    return own !== undefined && matchStrongly(tag, own);
  }
  return trimmed(ifRange) === fields('last-modified') && isStrongDate(fields, receivedAt);
}

/** What a 206 leaves out if the client has the rest from an earlier reply, RFC 9110 section 15.3.7. */
const KNOWN = /^(?:content-(?:encoding|language|type)|last-modified)$/;

/**
 * The fields of a 206 from those of the stored reply, without Content-Length, Content-Range and, for several parts, Content-Type:
 * the caller adds those of the plan.
 */
export function fieldsOf206(stored: FieldList, plan: RangePlan, ifRange: boolean): FieldList {
  return stored.filter(([name]) => {
    if (name === 'content-length' || name === 'content-range') return false;
    if (name === 'content-type' && plan.kind === 'multipart') return false;
    return !(ifRange && KNOWN.test(name));
  });
}
