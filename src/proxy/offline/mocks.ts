/** Replies of services in offline runs. */

/** What a service answers in an offline run. */
export interface OfflineReply {
  /** Default: 200. */
  readonly status?: number;
  readonly headers?: { readonly [name: string]: string };
  readonly body?: string | Uint8Array;
}

/** What a run was not given, although its outcome depends on it. */
export interface Missing {
  /** What would happen: `policy auth would call auth: GET /check`. */
  readonly would: string;
  /**
   * What can be given: a mock of a service, what the duty of a policy publishes, the body of the request. `none`: the answer of a
   * duty to a question cannot be given.
   */
  readonly kind: 'mock' | 'published' | 'body' | 'none';
  /** The service, or the policy; for a body the policy that would read it, '' if there may be several. */
  readonly name: string;
}

/** A request that a service gets in an offline run. */
export interface OfflineCall {
  readonly service: string;
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
}

/** Replies by service name: fixed ones, or made for each request. Own properties only. */
export interface OfflineMocks {
  readonly [service: string]: OfflineReply | ((call: OfflineCall) => OfflineReply);
}

/** The reply of a service; undefined if it has no mock. */
export function mockReply(mocks: OfflineMocks, call: OfflineCall): OfflineReply | undefined {
  const mock = Object.hasOwn(mocks, call.service) ? mocks[call.service] : undefined;
  return typeof mock === 'function' ? mock(call) : mock;
}
