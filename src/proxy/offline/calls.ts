/** Calls of policies and actions in an offline run: answered by mocks, or reported. */
import type { BodyOut, BodySource, CallReply, CallRequest, StreamedReply } from '../../contract/index.js';
import { HeaderMap } from '../../policies/run-kit.js';
import { ANY_REQUEST } from '../upstream/balance/candidate.js';
import { CallAttempt, type CallSigning, failedBy, refusedBy } from '../upstream/call/attempt.js';
import {
  type CalledServices,
  type Caller,
  type CallParent,
  type CallWorld,
  callDecision,
  describeCall,
  parentOf,
  signingOf,
} from '../upstream/call/calls.js';
import { CallError } from '../upstream/call/failure.js';
import { OutgoingCall } from '../upstream/call/request.js';
import type { Target } from '../upstream/target.js';
import { type Missing, mockReply, type OfflineMocks } from './mocks.js';

export interface OfflineCallsHost {
  /** The mocks of the run that the exchange belongs to; of the plane for a detached call. */
  mocksOf(parent: CallParent | undefined): OfflineMocks;
  /** The services of the exchange; undefined: calls are not signed. */
  services(parent: CallParent | undefined): CalledServices | undefined;
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
    const { status, headers, body } = await this.#answer(caller, service, request);
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
    const { status, headers, body } = await this.#answer(caller, service, request);
    return { status, headers, body: new BytesSource(body) };
  }

  async #answer(caller: Caller, service: string, given: CallRequest): Promise<CallReply> {
    // An iterable may give its values only once.
    const request = { ...given, headers: [...(given.headers ?? [])] };
    const parent = parentOf(request.exchange);
    const id = parent?.id ?? 'offline';
    // The same checks as with a target.
    const outgoing = new OutgoingCall(request, id);
    const own = request.headers.map(([name, value]) => [name.toLowerCase(), value] as const);
    const services = this.#host.services(parent);
    const signing = signingOf(services, caller, { service, id, shared: request.shared === true });
    const target = signing && services?.serviceNamed(service)?.pick(ANY_REQUEST);
    const signed = signing && target && new OfflineSigning(outgoing, target, signing);
    for (;;) {
      const attempt = await signed?.attempt();
      const what = describeCall(service, request, [...(attempt?.added ?? [])]);
      if (attempt?.fault !== undefined) {
        parent?.decisions?.push(callDecision(caller, `${what}: ${attempt.fault}`));
        throw new CallError(service, 'policy/failed', attempt.fault);
      }
      const { method, path, body } = outgoing;
      const headers = attempt?.headers ?? own;
      const found = mockReply(this.#host.mocksOf(parent), { service, method, path, headers, body });
      if (found === undefined) {
        parent?.decisions?.push(callDecision(caller, `would call ${what}`));
        this.#host.unknown(parent, {
          would: `${caller.acts === true ? 'action' : 'policy'} ${caller.name} would call ${what}`,
          kind: 'mock',
          name: service,
        });
        throw new CallError(service, 'upstream/none', 'no mock for the service in an offline run');
      }
      const status = found.status ?? 200;
      parent?.decisions?.push(callDecision(caller, `${what}: ${status} (mock)`));
      if (status === 401 && attempt?.repeats === true) continue;
      return {
        status,
        headers: new HeaderMap(Object.entries(found.headers ?? {})),
        body: Buffer.from(found.body ?? ''),
      };
    }
  }
}

/** What the policies of a service have made of an attempt. */
interface SignedAttempt {
  readonly added: Iterable<string>;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** A repeat after 401 was asked for. */
  readonly repeats: boolean;
  /** Why it is not sent. */
  readonly fault?: string;
}

/** Shows the attempts of a call to the policies that sign it. */
class OfflineSigning {
  readonly #outgoing: OutgoingCall;
  readonly #target: Target;
  readonly #signing: CallSigning;
  #number = 0;

  constructor(outgoing: OutgoingCall, target: Target, signing: CallSigning) {
    this.#outgoing = outgoing;
    this.#target = target;
    this.#signing = signing;
  }

  /** The next attempt; from the second one on, the answer to the one before was 401. */
  attempt(): Promise<SignedAttempt> {
    const facts = { number: ++this.#number, unauthorized: this.#number > 1 };
    return new Promise((resolve, reject) => {
      const attempt = new CallAttempt(this.#outgoing, this.#target, facts, this.#signing, reject);
      const seen = (fault?: string): void => {
        const { added, repeats } = attempt;
        resolve({ added, headers: [...attempt.headers()], repeats, ...(fault === undefined ? {} : { fault }) });
      };
      attempt.show({
        over: false,
        onAttemptReady: () => seen(),
        onAttemptAnswered: (reply) => seen(refusedBy(reply)),
        onAttemptFailed: (error) => seen(failedBy(error)),
      });
    });
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
