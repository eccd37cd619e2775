/** A target's reply, as the chain sees it and as it is forwarded to the client. */
import type { HeaderFields, Reply, ReplyBody } from '../../policies/contract.js';
import { findField, HeadFields } from '../http/fields.js';
import { isEndToEnd, isOwnFraming } from '../http/own-names.js';
import type { ResponseHead } from '../http/response-head.js';
import type { ReplySource } from './downstream.js';

/** The value of a reply's Upgrade field. */
export const upgradeOf = (head: ResponseHead): string | undefined =>
  findField(head.text, head.fieldsAt, head.fieldsEnd, 'upgrade');

/** The fields of an informational head that are forwarded to the client. */
export function interimFields({ kept, listed }: ResponseHead): HeaderFields {
  const fields = new HeadFields(kept, 0, kept.length, kept, listed);
  if (listed !== '') for (const name of listed.split(',')) fields.remove(name);
  return fields;
}

/**
 * Trailer fields that are forwarded to the client. Fields that frame, route or describe a message must not be in a
 * trailer section (RFC 9110 section 6.5.1): merged into the head, they would change the meaning of the message.
 */
export function trailerFields(lines: string): HeaderFields {
  const fields = new HeadFields(lines, 0, lines.length, lines, '');
  for (const [name] of fields.receivedEntries()) if (isOwnFraming(name) || isEndToEnd(name)) fields.remove(name);
  return fields;
}

/** A target's reply; its fields are looked up in the head's text on demand. */
export class TargetReply implements Reply {
  status: number;
  body: Uint8Array | ReplyBody | null;
  /** `200 OK` as sent by the target. */
  readonly statusText: string;
  readonly kept: string;
  readonly listed: string;
  readonly #given: ResponseHead['status'];
  readonly #hasDate: boolean;
  /** The protocol of a 101, or the protocols that a 426 requires (RFC 9110 section 15.5.22). */
  readonly upgrade: string | undefined;
  readonly #text: string;
  readonly #at: number;
  readonly #end: number;
  #headers: HeadFields | undefined = undefined;

  constructor(head: ResponseHead, body: ReplyBody) {
    this.status = head.status;
    this.#given = head.status;
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

  /** No policy has changed the status. */
  get sameStatus(): boolean {
    return this.status === this.#given;
  }

  /** Its field lines for the client. */
  lines(): string {
    if (this.#headers === undefined && this.listed === '') return this.kept;
    return this.headers.lines('');
  }
}

/** Statuses of target replies without a body. Their Content-Length, if any, describes a different reply. */
export const isBodiless = (status: number): boolean => status === 204 || status === 205 || status === 304;

/**
 * Length of the body that `source` delivers, -1 if unknown. 0 if the target's status has no body and a policy changed
 * the status.
 */
export const streamLength = (status: number, source: ReplySource): number =>
  source.bodiless && status !== 304 ? 0 : source.contentLength;
