/** The calls of a worker: their services, their bounds, their timeouts. */
import type { CallReply, CallRequest, Decision, Exchange, StreamedReply } from '../../../contract/index.js';
import { addressKey } from '../../../state/connection-table.js';
import { timeSpan } from '../../errors/cause.js';
import type { BodyBudget } from '../../load/body-buffer.js';
import type { HashedRequest } from '../balance/hash-value.js';
import type { AttemptHost } from '../retrying-user.js';
import type { Service } from '../service.js';
import type { CallSigning, ShowAttempt } from './attempt.js';
import { Call, type ReplyTaker } from './call.js';
import { CallError } from './failure.js';
import { failedReceiver, RECEIVER_FAILED } from './guarded-out.js';
import { lengthOf, PendingRecord, type RecordedParent } from './record.js';
import { ReplyStream, type Settle, WholeReply } from './reply.js';
import { OutgoingCall } from './request.js';

/** Calls in progress: of a worker, of those without an exchange, and of one exchange. */
export const MOST_CALLS = 16_384;
export const MOST_DETACHED = 256;
export const MOST_OF_EXCHANGE = 32;
/** Bytes of a collected reply unless the request says otherwise. */
const MAX_REPLY = 1024 * 1024;

/** What is cancelled when an exchange ends. */
export interface Attached {
  /** The exchange has ended. */
  exchangeEnded(): void;
}

/** A call, for the policies that sign it. */
export interface SignedCall {
  readonly service: string;
  readonly id: string;
  /** It is one of the route's action. */
  readonly acts: boolean;
  /** Other exchanges use the reply too. */
  readonly shared: boolean;
}

/** The services of a generation. */
export interface CalledServices {
  serviceNamed(name: string): Service | undefined;
  /** Shows attempts to the policies that sign the call; undefined if none does. */
  signersOf(call: SignedCall): ShowAttempt | undefined;
}

/** The exchange that a call belongs to; with the services of its generation. */
export interface CallParent extends CalledServices, RecordedParent, HashedRequest {
  readonly id: string;
  /** It has ended. */
  readonly over: boolean;
  readonly decisions: Decision[] | undefined;
  /** What ends with it. */
  readonly attached: Set<Attached>;
}

/** Who calls, for decisions and for the share of connections. */
export interface Caller {
  readonly name: string;
  /** It is the action of a route: the route's policies sign its calls too. */
  readonly acts?: boolean;
}

/** The record of a call among the decisions of its exchange. */
export const callDecision = ({ name }: Caller, why: string): Decision => ({
  step: name,
  use: 'call',
  outcome: 'call',
  why,
});

/** `auth: GET /check`, without the query, which may hold credentials. `added`: names of the fields that policies have set. */
export function describeCall(service: string, { method, path }: CallRequest, added: readonly string[] = []): string {
  const line = `${service}: ${method} ${path.split('?', 1)[0]}`;
  return added.length === 0 ? line : `${line} (${added.join(', ')} added)`;
}

/** The exchange of a request, as its engine sees it. Throws TypeError for an object that is not an exchange of gw. */
export function parentOf(exchange: Exchange | undefined): CallParent | undefined {
  if (exchange === undefined || isParent(exchange)) return exchange;
  throw new TypeError('The exchange of a call is not one of gw');
}

const isParent = (exchange: Exchange): exchange is Exchange & CallParent => 'attached' in exchange;

/** What policies and actions call with: a data plane, or an offline run. */
export interface CallWorld {
  call(caller: Caller, service: string, request: CallRequest): Promise<CallReply>;
  callStream(caller: Caller, service: string, request: CallRequest): Promise<StreamedReply>;
}

/** How a call is signed; undefined: not at all. */
export function signingOf(
  services: CalledServices | undefined,
  { acts = false }: Caller,
  call: Omit<SignedCall, 'acts'>,
): CallSigning | undefined {
  const show = services?.signersOf({ ...call, acts });
  return show === undefined ? undefined : { show, replaces: acts };
}

export interface CallsHost extends AttemptHost {
  readonly bodies: BodyBudget;
  newId(): string;
  log(level: 'error', message: string, fields: Record<string, unknown>): void;
}

export class Calls implements CallWorld {
  readonly #host: CallsHost;
  /** The live generation. */
  #live: CalledServices | undefined = undefined;
  readonly #active = new Set<Call>();
  #detached = 0;
  #closed = false;

  constructor(host: CallsHost) {
    this.#host = host;
  }

  /** A generation has gone live: detached calls use its services. */
  adopt(live: CalledServices): void {
    this.#live = live;
  }

  /** Calls in progress that belong to no exchange. */
  get detached(): number {
    return this.#detached;
  }

  call(caller: Caller, service: string, request: CallRequest): Promise<CallReply> {
    const most = request.maxReply ?? MAX_REPLY;
    return this.#run(caller, service, request, (settle) => new WholeReply(most, this.#host.bodies, settle));
  }

  callStream(caller: Caller, service: string, request: CallRequest): Promise<StreamedReply> {
    const broke = (error: unknown): void =>
      this.#host.log('error', RECEIVER_FAILED, failedReceiver({ policy: caller.name }, error));
    return this.#run(
      caller,
      service,
      request,
      (settle) => new ReplyStream(request.timeout !== undefined, settle, broke),
    );
  }

  async #run<Reply extends CallReply | StreamedReply>(
    caller: Caller,
    service: string,
    request: CallRequest,
    taking: (settle: Settle<Reply>) => ReplyTaker & { call: Call | undefined },
  ): Promise<Reply> {
    const parent = parentOf(request.exchange);
    const started = this.#host.monotonic();
    const record = parent && new PendingRecord(parent, { caller: caller.name, service, request }, started);
    let opened: Call | undefined;
    try {
      const reply = await new Promise<Reply>((resolve, reject) => {
        const taker = taking({ resolve, reject });
        const call = this.#open(caller, service, request, parent, taker, record);
        taker.call = call;
        opened = call;
        call.start();
      });
      const now = this.#host.monotonic();
      record?.end(now, { status: reply.status, bytes: lengthOf(reply) });
      if (parent?.decisions !== undefined) {
        const what = describeCall(service, request, opened?.added);
        parent.decisions.push(callDecision(caller, `${what}: ${reply.status} in ${timeSpan(now - started)}`));
      }
      return reply;
    } catch (error) {
      const slug = error instanceof CallError ? error.error : 'gateway/failed';
      record?.end(this.#host.monotonic(), { error: slug });
      const what = describeCall(service, request, opened?.added);
      parent?.decisions?.push(callDecision(caller, `${what}: ${error instanceof CallError ? error.cause : 'failed'}`));
      throw error;
    }
  }

  /** Creates a call. Throws CallError if a bound is reached or the service is not there, TypeError for an invalid request. */
  #open(
    caller: Caller,
    name: string,
    request: CallRequest,
    parent: CallParent | undefined,
    taker: ReplyTaker,
    record: PendingRecord | undefined,
  ): Call {
    if (this.#closed) throw new CallError(name, 'gateway/drained', 'the gateway has stopped');
    if (parent?.over === true) throw new CallError(name, 'downstream/aborted', ENDED);
    const owner = parent?.serviceNamed(name) === undefined ? this.#live : parent;
    const service = owner?.serviceNamed(name);
    if (service === undefined)
      throw new CallError(name, 'upstream/none', 'the service is not part of the live generation');
    this.#bound(name, parent);
    const id = parent?.id ?? this.#host.newId();
    const outgoing = new OutgoingCall(request, id);
    const clientKey = parent === undefined ? `policy:${caller.name}` : addressKey(parent.remoteAddress);
    const attached: Attached = {
      exchangeEnded: () => {
        // At once: the record of the exchange is made when all of these have returned.
        record?.end(this.#host.monotonic(), { error: ABANDONED });
        call.cancel('downstream/aborted', ENDED);
      },
    };
    const call = new Call(this.#host, service, outgoing, clientKey, taker, () => {
      this.#active.delete(call);
      if (parent === undefined) this.#detached--;
      else parent.attached.delete(attached);
    });
    call.parent = parent;
    if (record !== undefined) record.call = call;
    call.signing = signingOf(owner, caller, { service: name, id, shared: request.shared === true });
    call.deadline = this.#host.monotonic() + (request.timeout ?? service.entry.responseTimeout);
    this.#active.add(call);
    if (parent === undefined) this.#detached++;
    else parent.attached.add(attached);
    return call;
  }

  #bound(name: string, parent: CallParent | undefined): void {
    const most = (count: number, where: string): CallError =>
      new CallError(name, 'upstream/calls-full', `too many calls: ${count} are in progress ${where}`);
    if (this.#active.size >= MOST_CALLS) throw most(MOST_CALLS, 'in this worker');
    if (parent === undefined && this.#detached >= MOST_DETACHED) throw most(MOST_DETACHED, 'without an exchange');
    if (parent !== undefined && parent.attached.size >= MOST_OF_EXCHANGE)
      throw most(MOST_OF_EXCHANGE, 'for the exchange');
  }

  /** Checks all timeouts; called a few times a second with the monotonic time. */
  sweep(now: number): void {
    for (const call of this.#active) {
      if (call.deadline === 0 || call.deadline > now) continue;
      call.timeOut();
    }
  }

  /** Ends all calls; further ones are refused. */
  close(): void {
    this.#closed = true;
    for (const call of this.#active) call.cancel('gateway/drained', 'the gateway has stopped');
  }
}

const ENDED = 'the exchange has ended';
/** In records: the exchange did not wait for the call. */
const ABANDONED = 'call/abandoned';
