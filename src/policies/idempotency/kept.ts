/** Replies that are kept for requests with the same key. */
import type { BodyStage, Content, ContentFacts, ContentWriter, HeaderFields, Reply, StageOut } from '../contract.js';
import { HeaderMap, LentBytes } from '../run-kit.js';

/** Says that a reply is that of an earlier request. */
export const REPLAYED = 'idempotency-replayed';

/** Fields of one connection, and those that gw writes for each message. */
const NOT_KEPT = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  REPLAYED,
]);

/** `data` of a kept reply. */
export interface KeptData {
  readonly status: number;
  readonly fields: readonly (readonly [string, string])[];
}

/** `known`: the caller has a credential. Otherwise cookies are not kept: another one may have the same address. */
export function factsOf({ status, headers }: Reply, expiresAt: number, known: boolean): ContentFacts<KeptData> {
  const fields: [string, string][] = [];
  for (const [name, value] of headers.entries())
    if (!NOT_KEPT.has(name) && (known || name !== 'set-cookie')) fields.push([name, value]);
  // No URL, route and tag: what was done does not change, so no purge applies.
  return { expiresAt, url: '', route: '', tags: [], data: { status, fields } };
}

/** The reply in a content, which is released with the body of the reply. */
export function replyOf(content: Content<KeptData>): Reply {
  const { data } = content.facts;
  const headers = new HeaderMap(data.fields);
  headers.set(REPLAYED, 'true');
  if (content.length > 0)
    return {
      status: data.status,
      headers,
      body: new LentBytes(content.parts, content.length, () => content.release()),
    };
  content.release();
  return { status: data.status, headers, body: null };
}

/** Copies a reply's body into the store while it goes to the client. */
export class KeepingStage implements BodyStage {
  readonly observes = true;
  readonly #out: StageOut;
  readonly #ended: (kept: boolean) => void;
  #writer: ContentWriter | undefined;

  /** `ended`: called once, before the client gets the end. */
  constructor(writer: ContentWriter, out: StageOut, ended: (kept: boolean) => void) {
    this.#writer = writer;
    this.#out = out;
    this.#ended = ended;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#writer?.write(bytes) === false) this.#writer = undefined;
    return this.#out.write(bytes);
  }

  end(trailers: HeaderFields | undefined): void {
    this.#writer?.commit();
    this.#ended(this.#writer !== undefined);
    this.#out.end(trailers);
  }

  abort(): void {
    this.#writer?.abort();
    this.#ended(false);
  }
}

/** Bytes of a reply's body if that is known before it comes; otherwise -1. */
export function lengthOf({ body, headers }: Reply): number {
  if (body === null) return 0;
  if (body instanceof Uint8Array) return body.length;
  const declared = headers.get('content-length');
  return declared !== undefined && /^\d{1,15}$/.test(declared) ? Number(declared) : -1;
}
