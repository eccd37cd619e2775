/** One attempt to send a request to a target. */

export interface Attempt {
  /** 1 for the first. */
  readonly number: number;
  readonly service: string;
  /** URL of the target, without path. */
  readonly target: string;
  readonly method: string;
  /** Path and query as the target gets them. */
  readonly path: string;
  /** Host field as the target gets it. */
  readonly host: string;
  /** A field as the target gets it; lower-case name. */
  header(name: string): string | undefined;
  /** All fields as the target gets them, except the framing and hop-by-hop ones. */
  headers(): Iterable<readonly [name: string, value: string]>;
  /** Sets a field of this attempt only. Throws TypeError for a name or value that RFC 9110 section 5 forbids. */
  set(name: string, value: string): void;
  remove(name: string): void;
  /** The whole body if it was collected; undefined if it streams or there is none. */
  readonly body: Uint8Array | undefined;
  /** Whether this request has a body: a call that a policy signs need not have the one of its exchange. */
  readonly hasBody: boolean;
  /** The target has answered an earlier attempt of this exchange with 401, and one repeat was requested. */
  readonly unauthorized: boolean;
  /**
   * Asks for one more attempt if the target answers 401: credentials may have been revoked. Ignored if the request has a body
   * that was not collected.
   */
  repeatAfter401(): void;
}
