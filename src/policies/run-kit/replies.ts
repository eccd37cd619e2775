/** Replies by gw itself. */
import { STATUS_CODES } from 'node:http';
import type { AuthProblem, CallFailure, HeaderFields, Json, Reply } from '../contract.js';
import { HeaderMap } from './fields.js';

export interface BytesReplyOptions {
  readonly headers?: HeaderFields;
  readonly body?: Uint8Array | string | null;
  /** Slug, for the log. */
  readonly code?: string | undefined;
  /** Why it is sent, for the log. */
  readonly cause?: string | undefined;
  /** What the body says, in one line, for clients that get no body. */
  readonly summary?: string | undefined;
}

/** A reply whose whole body is here. */
export class BytesReply implements Reply {
  status: number;
  readonly headers: HeaderFields;
  body: Uint8Array | null;
  readonly code: string | undefined;
  readonly cause: string | undefined;
  readonly summary: string | undefined;

  constructor(status: number, options: BytesReplyOptions = {}) {
    this.status = status;
    this.headers = options.headers ?? new HeaderMap();
    this.body = typeof options.body === 'string' ? Buffer.from(options.body) : (options.body ?? null);
    this.code = options.code;
    this.cause = options.cause;
    this.summary = options.summary;
  }
}

/**
 * A reply that is the same for every request of a route whose replies no policy sees: one object for all exchanges. Its
 * body must not change.
 */
export class ConstantReply extends BytesReply {
  /** Whether the fields include Date. */
  readonly hasDate: boolean;
  /** Status line and fields as a codec has written them; '' before the first request. */
  head = '';
  /** The same of the fields alone. */
  lines = '';

  constructor(status: number, options: BytesReplyOptions = {}) {
    super(status, options);
    this.hasDate = this.headers.get('date') !== undefined;
  }
}

export interface Problem {
  readonly status: number;
  /** Slug, e.g. `auth/missing`: becomes the problem's type and the access log's error. */
  readonly code: string;
  /** URI of the kind of problem where one is registered; left out: made of the code. */
  readonly type?: string;
  /** One sentence that is the same for every occurrence. */
  readonly title: string;
  /** What to do about this occurrence. Never a secret, never the request's own text. */
  readonly detail?: string;
  readonly headers?: { readonly [name: string]: string };
  /** The exact reason, for the log only. */
  readonly cause?: string;
  /** Further members, RFC 9457 section 3.2. */
  readonly extensions?: { readonly [name: string]: Json };
}

/** URI that names a kind of problem, RFC 9457 section 3.1.1. */
export const problemType = (code: string): string => `urn:gw:problem:${code}`;

/** An error reply as application/problem+json (RFC 9457), with the exchange's id as `instance` and `request_id`. */
export function problem(
  exchange: { readonly id: string } | undefined,
  { headers, cause, ...rest }: Problem,
): BytesReply {
  const members: Record<string, Json> = {
    type: rest.type ?? problemType(rest.code),
    title: rest.title,
    status: rest.status,
    ...(rest.detail === undefined ? {} : { detail: rest.detail }),
    ...(exchange === undefined
      ? {}
      : { instance: `urn:gw:request:${encodeURIComponent(exchange.id)}`, request_id: exchange.id }),
    ...rest.extensions,
  };
  const fields = new HeaderMap([
    ['content-type', 'application/problem+json'],
    ['cache-control', 'no-store'],
  ]);
  if (headers) for (const name of Object.keys(headers)) fields.set(name, headers[name]!);
  return new BytesReply(rest.status, {
    headers: fields,
    body: JSON.stringify(members),
    code: rest.code,
    cause,
    summary: rest.detail === undefined ? rest.title : `${rest.title}: ${rest.detail}`,
  });
}

/**
 * The reply to a request whose credentials are missing or not valid: 401 with the challenges of all authenticators (RFC 9110
 * section 11.6.1) and their further fields, the rest from the last problem. Another status of a problem has precedence.
 */
export function authProblem(exchange: { readonly id: string }, problems: readonly AuthProblem[]): BytesReply {
  const decisive = problems.find(({ status = 401 }) => status !== 401) ?? problems.at(-1)!;
  const { status = 401, code, title, detail } = decisive;
  const reply = problem(exchange, { status, code, title, ...(detail === undefined ? {} : { detail }) });
  for (const { challenge, headers = {} } of problems) {
    if (challenge !== undefined) reply.headers.append('www-authenticate', challenge);
    // Of two problems with the same field, the first one counts.
    for (const name of Object.keys(headers))
      if (reply.headers.get(name) === undefined) reply.headers.set(name, headers[name]!);
  }
  return reply;
}

/** The failure of a call; undefined for any other exception, which is a bug of the caller. */
export const callFailure = (error: unknown): CallFailure | undefined =>
  error instanceof Error && error.name === 'CallFailure' ? (error as CallFailure) : undefined;

/** `Not Found` for 404; the number itself for a status without a name. */
export const statusText = (status: number): string => STATUS_CODES[status] ?? String(status);
