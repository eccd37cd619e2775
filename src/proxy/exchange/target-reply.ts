/** A target's reply, as the chain sees it and as it is forwarded to the client. */
import type { Reply, ReplyBody } from '../../policies/contract.js';
import { findField, HeadFields } from '../http/fields.js';
import type { ResponseHead } from '../http/response-head.js';
import type { ReplySource } from './downstream.js';

/** The value of a reply's Upgrade field. */
export const upgradeOf = (head: ResponseHead): string | undefined =>
  findField(head.text, head.fieldsAt, head.fieldsEnd, 'upgrade');

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
