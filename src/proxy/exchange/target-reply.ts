/** A target's reply, as the chain sees it and as it goes on to the client. */
import type { HeaderFields, Reply, ReplyBody } from '../../policies/contract.js';
import { findField, HeadFields } from '../http/fields.js';
import { isEndToEnd, isOwnFraming } from '../http/own-names.js';
import type { ResponseHead } from '../http/response-head.js';
import type { ReplySource } from './downstream.js';

/** The protocols that a reply names in Upgrade. */
export const upgradeOf = (head: ResponseHead): string | undefined =>
  findField(head.text, head.fieldsAt, head.fieldsEnd, 'upgrade');

/** The fields of an informational head that go on to the client. */
export function interimFields({ kept, listed }: ResponseHead): HeaderFields {
  const fields = new HeadFields(kept, 0, kept.length, kept, listed);
  if (listed !== '') for (const name of listed.split(',')) fields.remove(name);
  return fields;
}

/**
 * Trailer fields that go on to the client. Those that frame, route or describe a message must not be in a trailer section,
 * RFC 9110 section 6.5.1: a client that merges them into the head would read another message.
 */
export function trailerFields(lines: string): HeaderFields {
  const fields = new HeadFields(lines, 0, lines.length, lines, '');
  for (const [name] of fields.receivedEntries()) if (isOwnFraming(name) || isEndToEnd(name)) fields.remove(name);
  return fields;
}

/** A target's reply: its fields are looked up in the head's text, and only on demand. */
export class TargetReply implements Reply {
  status: number;
  body: Uint8Array | ReplyBody | null;
  /** `200 OK` as the target said it. */
  readonly statusText: string;
  readonly kept: string;
  readonly listed: string;
  readonly #given: ResponseHead['status'];
  readonly #known: ResponseHead['known'];
  readonly #hasDate: boolean;
  /** The protocol that a 101 switches to, or those that a 426 asks for (RFC 9110 section 15.5.22). */
  readonly upgrade: string | undefined;
  readonly #text: string;
  readonly #at: number;
  readonly #end: number;
  #headers: HeadFields | undefined = undefined;

  constructor(head: ResponseHead, body: ReplyBody) {
    this.status = head.status;
    this.#given = head.status;
    this.#known = head.known;
    this.body = body;
    this.statusText = head.statusText;
    this.kept = head.kept;
    this.listed = head.listed;
    this.#hasDate = head.hasDate;
    this.#text = head.text;
    this.#at = head.fieldsAt;
    this.#end = head.fieldsEnd;
    this.upgrade = head.status === 101 || head.status === 426 ? upgradeOf(head) : undefined;
  }

  get headers(): HeadFields {
    this.#headers ??= new HeadFields(this.#text, this.#at, this.#end, this.kept, this.listed);
    return this.#headers;
  }

  get hasDate(): boolean {
    const headers = this.#headers;
    return headers?.touched('date') ? headers.get('date') !== undefined : this.#hasDate;
  }

  /** The status is the target's own. */
  get sameStatus(): boolean {
    return this.status === this.#given;
  }

  /**
   * The whole head, with a body of `length` bytes, for a client that need not be told of the connection: where policies
   * added fields at most, and the target said the same before. Else undefined.
   */
  again(id: string, length: number): string | undefined {
    const known = this.#known;
    if (known === undefined || known.opening === '' || known.parsed.contentLength !== length) return undefined;
    if (this.upgrade !== undefined || this.status !== this.#given) return undefined;
    const added = this.#headers === undefined ? '' : this.#headers.addedLines;
    return added === undefined ? undefined : `${known.opening}${added}x-request-id: ${id}${known.closing}`;
  }

  /** Its field lines as they go to the client. */
  lines(): string {
    if (this.#headers === undefined && this.listed === '') return this.kept;
    return this.headers.lines('');
  }
}

/** Statuses of a target's reply that come without a body. What Content-Length says with them is said of another reply. */
export const isBodiless = (status: number): boolean => status === 204 || status === 205 || status === 304;

/**
 * Length of the body that `source` brings, -1 when not known: 0 where the target's status has no body and a policy changed
 * the status.
 */
export const streamLength = (status: number, source: ReplySource): number =>
  source.bodiless && status !== 304 ? 0 : source.contentLength;
