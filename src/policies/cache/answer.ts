/** Replies from the store: whole, without a body (304), in parts (206), and 416. */
import { randomBytes } from 'node:crypto';
import type { BodySource, Content, HeaderFields, Reply } from '../contract.js';
import { appendCacheStatus, type CacheStatus, cacheStatusMember } from '../kits/http-cache/cache-status.js';
import { CONDITIONS, evaluate, fieldsOf304 } from '../kits/http-cache/conditional.js';
import type { ReadField } from '../kits/http-cache/fields.js';
import { fieldsOf206, planRange, type RangePlan, type Slice } from '../kits/http-cache/range.js';
import { BytesReply, HeaderMap, LayeredFields, LentBytes, problem } from '../run-kit.js';
import { PROBLEMS } from './problems.js';
import type { StoredReply } from './stored.js';

/** Name of the cache in Cache-Status. */
const NAME = 'gw';

/** A request that a stored reply answers. */
export interface Asked {
  readonly id: string;
  readonly method: string;
  /** Its conditions and ranges, as the client sent them; undefined if it has none of them. */
  readonly conditions: ReadField | undefined;
}

/** How a reply came about. */
export interface Origin {
  readonly ageSeconds: number;
  /** Undefined: replies do not say it. */
  readonly status: CacheStatus | undefined;
}

const CONDITIONAL = [...CONDITIONS, 'range'];

/** The conditions and ranges of a request, which a validation replaces. Undefined if it has none: If-Range alone means nothing. */
export function conditionsOf(request: ReadField): ReadField | undefined {
  let found: Map<string, string> | undefined;
  for (const name of CONDITIONAL) {
    const value = request(name);
    if (value === undefined) continue;
    found ??= new Map();
    found.set(name, value);
  }
  const ifRange = found?.has('range') === true ? request('if-range') : undefined;
  if (ifRange !== undefined) found?.set('if-range', ifRange);
  return found && ((name) => found.get(name));
}

/** A stored reply whose body is lent, or still on its way. */
class StoredAnswer implements Reply {
  status: number;
  readonly headers: HeaderFields;
  body: BodySource;

  constructor(status: number, headers: HeaderFields, body: BodySource) {
    this.status = status;
    this.headers = headers;
    this.body = body;
  }
}

/** The answer to a request from a stored reply. `content` is released when its bytes are sent, or now. */
export function answer(asked: Asked, reply: StoredReply, content: Content<unknown>, origin: Origin): Reply {
  const { conditions } = asked;
  if (conditions !== undefined) {
    const special = conditionalAnswer(asked, conditions, reply, content, origin);
    if (special !== undefined) return special;
  }
  const headers = describe(new LayeredFields(reply.headers), origin);
  return new StoredAnswer(reply.status, headers, lend(content.parts, content.length, content));
}

/** A 304 if the conditions of the request ask for it; undefined otherwise. */
export function notModified(conditions: ReadField, reply: StoredReply, origin: Origin): BytesReply | undefined {
  const { status, read, assessment } = reply;
  if (evaluate(conditions, { status, fields: read, receivedAt: assessment.receivedAt }) !== 304) return undefined;
  return new BytesReply(304, { headers: describe(new HeaderMap(fieldsOf304(reply.fields)), origin) });
}

/** The answer from a reply that is still on its way. */
export function sharedAnswer(
  conditions: ReadField | undefined,
  reply: StoredReply,
  body: BodySource,
  origin: Origin,
): Reply {
  const unchanged = conditions && notModified(conditions, reply, origin);
  if (unchanged === undefined)
    return new StoredAnswer(reply.status, describe(new LayeredFields(reply.headers), origin), body);
  body.discard();
  return unchanged;
}

function conditionalAnswer(
  asked: Asked,
  conditions: ReadField,
  reply: StoredReply,
  content: Content<unknown>,
  origin: Origin,
): Reply | undefined {
  const unchanged = notModified(conditions, reply, origin);
  if (unchanged !== undefined) {
    content.release();
    return unchanged;
  }
  if (conditions('range') === undefined) return undefined;
  const { status, read, assessment } = reply;
  const plan = planRange(
    { method: asked.method, fields: conditions },
    { status, fields: read, length: content.length, receivedAt: assessment.receivedAt },
    randomBytes(12).toString('hex'),
  );
  if (plan.kind === 'whole') return undefined;
  if (plan.kind !== 'unsatisfiable') return partial(plan, conditions, reply, content, origin);
  content.release();
  const refused = problem(asked, { ...PROBLEMS.range, headers: { 'content-range': plan.contentRange } });
  describe(refused.headers, { ...origin, ageSeconds: -1 });
  return refused;
}

function partial(
  plan: Exclude<RangePlan, { kind: 'whole' | 'unsatisfiable' }>,
  conditions: ReadField,
  reply: StoredReply,
  content: Content<unknown>,
  origin: Origin,
): Reply {
  const headers = new HeaderMap(fieldsOf206(reply.fields, plan, conditions('if-range') !== undefined));
  describe(headers, origin);
  if (plan.kind === 'single') {
    headers.set('content-range', plan.contentRange);
    return new StoredAnswer(206, headers, lend(slice(content.parts, plan.slice), plan.length, content));
  }
  headers.set('content-type', plan.contentType);
  const parts: Uint8Array[] = [];
  for (const part of plan.parts) parts.push(Buffer.from(part.prelude, 'latin1'), ...slice(content.parts, part.slice));
  parts.push(Buffer.from(plan.epilogue, 'latin1'));
  return new StoredAnswer(206, headers, lend(parts, plan.length, content));
}

const lend = (parts: readonly Uint8Array[], length: number, content: Content<unknown>): LentBytes =>
  new LentBytes(parts, length, () => content.release());

/** Views of a part of the body. */
function slice(parts: readonly Buffer[], { start, end }: Slice): Buffer[] {
  const views: Buffer[] = [];
  let at = 0;
  for (const part of parts) {
    const [from, to] = [Math.max(start - at, 0), Math.min(end - at, part.length)];
    if (from < to) views.push(part.subarray(from, to));
    at += part.length;
  }
  return views;
}

/** Adds Age, unless it is negative, and Cache-Status. */
export function describe(headers: HeaderFields, { ageSeconds, status }: Origin): HeaderFields {
  // Stored fields have no Age.
  if (ageSeconds >= 0) headers.append('age', String(ageSeconds));
  // Caches nearer to the client come later: a further line of the list does the same as a longer value.
  if (status !== undefined) headers.append('cache-status', cacheStatusMember(NAME, status));
  return headers;
}

/** Adds what this cache did to Cache-Status. */
export function addStatus(headers: HeaderFields, status: CacheStatus): void {
  headers.set('cache-status', appendCacheStatus(headers.get('cache-status'), cacheStatusMember(NAME, status)));
}
