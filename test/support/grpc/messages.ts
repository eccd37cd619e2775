/** The test service that the gRPC tests use: messages are JSON, since gRPC does not care about their form. */
import type { MethodDefinition } from '@grpc/grpc-js';

export interface Ask {
  /** Characters that the request carries besides. */
  readonly payload?: string;
  /** Characters of each message of the answer. */
  readonly sizes?: readonly number[];
  /** The call ends with this status. */
  readonly status?: { readonly code: number; readonly message: string };
}

export interface Answer {
  readonly payload?: string;
  /** Characters of all payloads of the request. */
  readonly total?: number;
}

type Method = MethodDefinition<Ask, Answer>;

const serialize = (value: Ask | Answer): Buffer => Buffer.from(JSON.stringify(value));
const deserialize = <T>(bytes: Buffer): T => JSON.parse(bytes.toString()) as T;

const method = (name: string, requestStream: boolean, responseStream: boolean, service = 'test.Service'): Method => ({
  path: `/${service}/${name}`,
  requestStream,
  responseStream,
  requestSerialize: serialize,
  requestDeserialize: deserialize,
  responseSerialize: serialize,
  responseDeserialize: deserialize,
});

export const METHODS = {
  empty: method('Empty', false, false),
  unary: method('Unary', false, false),
  collect: method('Collect', true, false),
  list: method('List', false, true),
  chat: method('Chat', true, true),
} as const;

/** Not of the server. */
export const UNKNOWN_METHOD = method('Unknown', false, false);
export const UNKNOWN_SERVICE = method('Unary', false, false, 'test.Unknown');

/** Metadata that the server repeats in its initial and in its trailing metadata. */
export const ECHO_INITIAL = 'x-grpc-test-echo-initial';
export const ECHO_TRAILING = 'x-grpc-test-echo-trailing-bin';
