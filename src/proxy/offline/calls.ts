/** Calls of policies and actions in an offline run: answered by mocks, or reported. */
import type { BodyOut, BodySource, CallReply, CallRequest, StreamedReply } from '../../contract/index.js';
import { HeaderMap } from '../../policies/run-kit.js';
import {
  type Caller,
  type CallParent,
  type CallWorld,
  callDecision,
  describeCall,
  parentOf,
} from '../upstream/call/calls.js';
import { CallError } from '../upstream/call/failure.js';
import { OutgoingCall } from '../upstream/call/request.js';
import { type Missing, mockReply, type OfflineMocks } from './mocks.js';

export interface OfflineCallsHost {
  /** The mocks of the run that the exchange belongs to; of the plane for a detached call. */
  mocksOf(parent: CallParent | undefined): OfflineMocks;
  /** A service without a mock would be called: the outcome is unknown. */
  unknown(parent: CallParent | undefined, missing: Missing): void;
}

/** Bytes of a collected reply unless the request says otherwise. */
const MAX_REPLY = 1024 * 1024;

export class OfflineCalls implements CallWorld {
  readonly #host: OfflineCallsHost;

  constructor(host: OfflineCallsHost) {
    this.#host = host;
  }

  async call(caller: Caller, service: string, request: CallRequest): Promise<CallReply> {
    const { status, headers, body } = this.#answer(caller, service, request);
    const max = request.maxReply ?? MAX_REPLY;
    if (body.length > max)
      throw new CallError(
        service,
        'upstream/too-large',
        `reply too large: ${body.length} bytes, at most ${max} are accepted`,
      );
    return { status, headers, body };
  }

  async callStream(caller: Caller, service: string, request: CallRequest): Promise<StreamedReply> {
    const { status, headers, body } = this.#answer(caller, service, request);
    return { status, headers, body: new BytesSource(body) };
  }

  #answer(caller: Caller, service: string, given: CallRequest): CallReply {
    // An iterable may give its values only once.
    const request = { ...given, headers: [...(given.headers ?? [])] };
    const parent = parentOf(request.exchange);
    // The same checks as with a target.
    const { method, path, body } = new OutgoingCall(request, parent?.id ?? 'offline');
    const headers = request.headers.map(([name, value]) => [name.toLowerCase(), value] as const);
    const found = mockReply(this.#host.mocksOf(parent), { service, method, path, headers, body });
    const what = describeCall(service, request);
    if (found === undefined) {
      parent?.decisions?.push(callDecision(caller, `would call ${what}`));
      this.#host.unknown(parent, { would: `policy ${caller.name} would call ${what}`, kind: 'mock', name: service });
      throw new CallError(service, 'upstream/none', 'no mock for the service in an offline run');
    }
    const status = found.status ?? 200;
    parent?.decisions?.push(callDecision(caller, `${what}: ${status} (mock)`));
    return { status, headers: new HeaderMap(Object.entries(found.headers ?? {})), body: Buffer.from(found.body ?? '') };
  }
}

/** A body whose bytes are all here. */
export class BytesSource implements BodySource {
  readonly length: number;
  readonly #bytes: Uint8Array;
  #over = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.length = bytes.length;
  }

  start(out: BodyOut): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#bytes.length > 0) out.write(this.#bytes);
    out.end();
  }

  discard(): void {
    this.#over = true;
  }
}
