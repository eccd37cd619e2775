/** What an ACME server answers instead of what was asked, RFC 8555 section 6.7. */
export class AcmeFailure extends Error {
  constructor(
    readonly status: number,
    /** After `urn:ietf:params:acme:error:`. */
    readonly type: string,
    readonly detail: string,
    /** Seconds, or a date. */
    readonly retryAfter?: string,
  ) {
    super(`${type}: ${detail}`);
  }

  get body(): { readonly type: string; readonly detail: string; readonly status: number } {
    return { type: `urn:ietf:params:acme:error:${this.type}`, detail: this.detail, status: this.status };
  }
}

/** An answer to a request. */
export interface AcmeReply {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: { readonly [name: string]: string };
}
