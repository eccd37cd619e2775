/**
 * The HTTP of an ACME client: bounded in time and size, no redirects, verified certificates, errors with their kind and the
 * time until the next attempt (RFC 8555 sections 6.6 and 6.7).
 */
import type { DutyFetch } from '../duties/fetch.js';

/** An authority refuses what it was asked for. */
export class AcmeRefusal extends Error {
  override readonly name = 'AcmeRefusal';
  constructor(
    /** The part after `urn:ietf:params:acme:error:`; '' if it gives none. */
    readonly type: string,
    readonly status: number,
    detail: string,
    /** Milliseconds that it asks to wait for; undefined: it does not say. */
    readonly retryAfter: number | undefined,
  ) {
    super(detail);
  }
}

export interface AcmeReply {
  readonly status: number;
  readonly headers: { readonly [name: string]: string };
  readonly data: unknown;
}

const TIMEOUT_MS = 30_000;
const MAX_REPLY = 256 * 1024;
const ERROR_TYPE = 'urn:ietf:params:acme:error:';
/** Characters of a reason that are logged. */
const MAX_DETAIL = 300;

/** `ca`: PEM of the authorities that certificates of the server are verified against; undefined: those of Node. */
export class AcmeTransport {
  readonly #fetch: DutyFetch;
  readonly #directory: URL;
  readonly #ca: string | undefined;
  readonly #signal: AbortSignal;
  readonly #now: () => number;
  /** What the last reply asked to wait for, milliseconds. */
  retryAfter: number | undefined = undefined;

  constructor(
    fetch: DutyFetch,
    directory: string,
    ca: string | undefined,
    { signal, now }: { readonly signal: AbortSignal; readonly now: () => number },
  ) {
    this.#fetch = fetch;
    this.#directory = new URL(directory);
    this.#ca = ca;
    this.#signal = signal;
    this.#now = now;
  }

  /** `data`: a signed request. @throws AcmeRefusal for a status of 400 and above, except badNonce; Error with a phrase without a reply */
  async request(url: string, method: string, data?: unknown): Promise<AcmeReply> {
    // The replies of the authority say where requests go: never to where they could be read or changed on their way.
    if (this.#directory.protocol === 'https:' && !url.startsWith('https://'))
      throw new Error(`the authority leads to a URL without https: ${url.slice(0, MAX_DETAIL)}`);
    const { status, headers, body } = await this.#fetch(
      url,
      {
        method: method.toUpperCase(),
        timeout: TIMEOUT_MS,
        maxReply: MAX_REPLY,
        ...(this.#ca === undefined ? {} : { ca: this.#ca }),
        ...(data === undefined
          ? {}
          : { headers: { 'content-type': 'application/jose+json' }, body: JSON.stringify(data) }),
      },
      this.#signal,
    );
    const value = decoded(Buffer.from(body).toString('utf8'), headers['content-type'] ?? '');
    this.retryAfter = retryAfterOf(headers['retry-after'], this.#now());
    if (status >= 300) this.#refuse(status, value);
    return { status, headers, data: value };
  }

  #refuse(status: number, value: unknown): void {
    const { type, detail } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
    const kind = typeof type === 'string' && type.startsWith(ERROR_TYPE) ? type.slice(ERROR_TYPE.length) : '';
    // The client asks again with the nonce of this reply.
    if (kind === 'badNonce') return;
    const reason = typeof detail === 'string' && detail !== '' ? detail : `the authority answers with status ${status}`;
    throw new AcmeRefusal(kind, status, oneLine(reason), this.retryAfter);
  }
}

/** Text of an authority as part of a log line. */
export const oneLine = (text: string): string => text.replace(/[\p{Cc}\s]+/gu, ' ').slice(0, MAX_DETAIL);

function decoded(text: string, type: string): unknown {
  // A reply to HEAD has none.
  if (text === '' || !/^application\/(problem\+)?json\b/i.test(type)) return text;
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) throw new Error('the authority answers with JSON that is not valid');
    throw error;
  }
}

/** A Retry-After (RFC 9110 section 10.2.3) in milliseconds from now; undefined if there is none. */
export function retryAfterOf(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text.trim())) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
