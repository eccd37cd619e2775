/** The bodies of one exchange that steps of its chain collect or change. Created when the first step does. */
import type { BodyStage, Reply, ReplyBody, StageOut } from '../../../policies/contract.js';
import { HeaderMap } from '../../../policies/run-kit.js';
import type { ErrorSlug } from '../../errors/errors.js';
import { Seen } from '../../http/seen.js';
import { isStreamType } from '../../http/stream-types.js';
import { type CollectBudget, type Collected, type CollectFault, Collector, countBytes } from './collector.js';
import { BytesSource, isBodySource, PolicySource, ReplyLink, ReplyPipe } from './reply-pipe.js';
import { asBuffer, RequestBody, SLICE } from './request-body.js';
import type { StageOwner } from './stage-link.js';
import { type ClientSide, EMPTY, type ReplyReceiver, type ReplySource } from './types.js';

/** The parts of an exchange that its bodies depend on. */
export interface BodiedExchange {
  readonly method: string;
  readonly expectsContinue: boolean;
  readonly settled: boolean;
  readonly over: boolean;
  /** The reply has left the chain. */
  readonly sending: boolean;
  readonly downstream: ClientSide | undefined;
  readonly collectBudget: CollectBudget;
  /** How the body is framed for the target. */
  seen: number;
  contentLength: number;
  /** The source of the reply's body. */
  source: ReplySource | undefined;
  /** Where the source writes. */
  receiver: ReplyReceiver | undefined;
  /** The length of the reply is not what its head says. */
  lengthUnknown: boolean;
  /** How many steps have seen the reply, in the order of leaving. */
  readonly left: number;
  /** An error that takes the place of a sent reply begins here. */
  resumeAt: number;
  /** `reply` takes the place of that of the error. */
  fail(error: ErrorSlug, cause: string, reply?: Reply): void;
  /** Logs the failure of a policy, and ends the exchange. */
  policyFailed(policy: string, cause: string, error: unknown): void;
  /** Logs that a stage or a stream threw when it was released. The exchange goes on. */
  releaseFailed(policy: string, error: unknown): void;
}

/** Stands for the policy in a log line about a reply's stream: which policy supplied it is not known. */
export const STREAM = '(stream of a reply)';

/** Creates a stage, given its output. */
export type StageMaker = (out: StageOut) => BodyStage | undefined;

export class ExchangeBodies {
  readonly #exchange: BodiedExchange;
  #request: RequestBody | undefined = undefined;
  #pipe: ReplyPipe | undefined = undefined;
  #replyCollector: Collector | undefined = undefined;
  #heldReply: Collected | undefined = undefined;

  constructor(exchange: BodiedExchange) {
    this.#exchange = exchange;
  }

  /** Where the target's request takes its body from; undefined: from the client. */
  get request(): RequestBody | undefined {
    return this.#request;
  }

  /** The whole request body if it is in memory. */
  get requestBytes(): Buffer | undefined {
    return this.#request?.bytes;
  }

  // ---------------------------------------------------------------- request

  #requestBody(): RequestBody {
    const exchange = this.#exchange;
    // A stage may ask for more after its exchange: the connection then serves another one.
    this.#request ??= new RequestBody({
      pull: (sink) => {
        if (!exchange.over) exchange.downstream!.pull(sink);
      },
    });
    return this.#request;
  }

  /** Collects the request's body, at most `max` bytes. Never settles if the exchange ends first. */
  collectRequest(max: number): Promise<Buffer | CollectFault> {
    const exchange = this.#exchange;
    return new Promise((resolve) => {
      if (this.requestBytes === undefined && exchange.contentLength > max) {
        resolve('too-large');
        return;
      }
      if (exchange.expectsContinue) exchange.downstream!.interim(100, new HeaderMap());
      this.#requestBody().collect(exchange.collectBudget, max, (result) => {
        if (typeof result !== 'string') this.#frame(result.length);
        resolve(result);
      });
    });
  }

  /** The framing for the target of a body of `length` bytes; -1: unknown. gw has answered an Expect itself. */
  #frame(length: number): void {
    const exchange = this.#exchange;
    exchange.contentLength = length;
    const seen = exchange.seen & ~(Seen.TransferEncoding | Seen.ContentLength | Seen.Expect);
    exchange.seen = seen | (length < 0 ? Seen.TransferEncoding : Seen.ContentLength);
  }

  /** A step has replaced the collected body. Returns false if no memory is left for the new one. */
  replaceRequest(bytes: Uint8Array): boolean {
    this.#frame(bytes.length);
    return this.#requestBody().replace(this.#exchange.collectBudget, bytes);
  }

  /** Adds a stage to the request's body. Returns whether there is one. */
  stageRequest(create: StageMaker, policy: string): boolean {
    const added = this.#requestBody().addStage(create, this.#stageOwner(policy, 'request/unreadable'));
    if (!added) return false;
    const expects = this.#exchange.seen & Seen.Expect;
    this.#frame(-1);
    this.#exchange.seen |= expects;
    return true;
  }

  // ---------------------------------------------------------------- reply

  /** Makes `reply.body` the source of the exchange, if it is a stream of a policy or an action. */
  adopt(reply: Reply): void {
    const { body } = reply;
    if (body === null || body instanceof Uint8Array || !isBodySource(body)) return;
    const exchange = this.#exchange;
    const source = new PolicySource(body, {
      receiver: {
        body: (buffer, start, end, last) => exchange.receiver!.body(buffer, start, end, last),
        trailers: (fields) => exchange.receiver!.trailers(fields),
      },
      isStream: isStreamType(reply.headers.get('content-type')),
      bodiless: exchange.method === 'HEAD' || reply.status === 204 || reply.status === 304,
      failed: (cause, begun) => exchange.fail(begun && exchange.sending ? 'upstream/aborted' : 'upstream/reset', cause),
      broke: (error) => this.#broke(STREAM, 'the stream failed', error),
      discardFailed: (error) => exchange.releaseFailed(STREAM, error),
    });
    exchange.source?.cancel();
    exchange.source = source;
    reply.body = source;
  }

  /**
   * A collected body goes to the client as a stream if it is large: the exchange holds its memory until the client has read
   * it, so that slow clients cannot exceed the budget.
   */
  streamCollected(reply: Reply): void {
    const bytes = this.#heldReply?.bytes;
    if (bytes !== undefined && reply.body === bytes && bytes.length > SLICE) reply.body = new BytesSource(bytes);
  }

  /** A hook would change the length of a body that is not sent (HEAD). */
  forgetLength(): void {
    this.#exchange.lengthUnknown = true;
  }

  /** Adds a stage to the reply's body. Returns whether there is one that changes the body. */
  stageReply(reply: Reply, create: StageMaker, policy: string): boolean {
    const exchange = this.#exchange;
    const given = reply.body;
    const known = this.#pipe?.owner === given ? this.#pipe : undefined;
    const resumeSource = (): void => exchange.source?.resume();
    // An error passes only the steps after the one that failed.
    const { left } = exchange;
    const owner = this.#stageOwner(policy, 'upstream/unreadable', () => {
      exchange.resumeAt = left;
    });
    // Policies that have collected the body have no stage most of the time: all else is made once there is one.
    const link = new ReplyLink(exchange.downstream!, known?.resumeLast ?? resumeSource, owner);
    const stage = create(link);
    if (stage === undefined) return false;
    link.attach(stage);
    if (link.failed) return false;
    const body: ReplyBody = given === null || given instanceof Uint8Array ? new BytesSource(given ?? EMPTY) : given;
    const pipe = known ?? new ReplyPipe(body, resumeSource);
    pipe.add(link);
    const changes = stage.observes !== true;
    if (changes) exchange.lengthUnknown = true;
    if (known !== undefined) return changes;
    this.#pipe?.abort('replaced by another reply');
    reply.body = body;
    this.adopt(reply);
    // adopt() has put a source in front of the stream.
    if (reply.body !== null && !(reply.body instanceof Uint8Array)) pipe.owner = reply.body;
    this.#pipe = pipe;
    exchange.receiver = pipe;
    return changes;
  }

  /** Collects the reply's body, at most `max` bytes. Never settles if the exchange ends, or another reply is sent. */
  collectReply(reply: Reply, max: number): Promise<Buffer | CollectFault> {
    const { body } = reply;
    if (body === null || body instanceof Uint8Array) {
      const bytes = asBuffer(body ?? new Uint8Array(0));
      return Promise.resolve(bytes.length > max ? 'too-large' : bytes);
    }
    this.adopt(reply);
    const exchange = this.#exchange;
    const source = exchange.source!;
    return new Promise((resolve) => {
      const collector = new Collector(exchange.collectBudget, max, (result) => {
        this.#replyCollector = undefined;
        this.#dropPipe('collected');
        // More is to come if the body was too large, or a stage has ended it early.
        source.cancel();
        if (typeof result === 'string') {
          resolve(result);
          return;
        }
        this.#heldReply?.release();
        this.#heldReply = result;
        resolve(result.bytes);
      });
      // Of a reply that this one has replaced.
      this.#replyCollector?.cancel();
      this.#replyCollector = collector;
      const pipe = this.#pipe;
      if (pipe?.owner === reply.body) pipe.divert(collector);
      else {
        this.#dropPipe('replaced by another reply');
        exchange.receiver = collector;
      }
      source.flow();
    });
  }

  /** A step has replaced the collected body. Returns false if no memory is left for the new one. */
  replaceReply(reply: Reply, bytes: Uint8Array): boolean {
    const body = asBuffer(bytes);
    this.#heldReply?.release();
    this.#heldReply = countBytes(this.#exchange.collectBudget, body);
    reply.body = body;
    return this.#heldReply !== undefined;
  }

  #dropPipe(cause: string): void {
    this.#pipe?.abort(cause);
    this.#pipe = undefined;
    this.#exchange.receiver = this.#exchange.downstream;
    this.#exchange.lengthUnknown = false;
  }

  /** The reply that is sent is decided: stages of other replies end. Returns whether its body passes a stage. */
  settle(reply: Reply): boolean {
    this.#replyCollector?.cancel();
    this.#replyCollector = undefined;
    if (this.#pipe === undefined) {
      this.#exchange.receiver = this.#exchange.downstream;
      return false;
    }
    if (this.#pipe.owner === reply.body) return true;
    this.#dropPipe('replaced by another reply');
    return false;
  }

  /** What went to `before` goes to `next`. */
  redirect(before: ReplyReceiver, next: ReplyReceiver): void {
    this.#pipe?.redirect(before, next);
  }

  /** The client has room again. Returns false if no stage is between the source and the client. */
  drained(): boolean {
    if (this.#pipe === undefined) return false;
    this.#pipe.drained();
    return true;
  }

  /** `unreadable`: the error if the stage cannot read the body. */
  #stageOwner(policy: string, unreadable: ErrorSlug, before?: () => void): StageOwner {
    return {
      refused: (cause, reply) => {
        before?.();
        this.#exchange.fail(unreadable, `policy ${policy}: ${cause}`, reply);
      },
      failed: (cause, error) => {
        before?.();
        this.#broke(policy, cause, error);
      },
      abortFailed: (error) => this.#exchange.releaseFailed(policy, error),
    };
  }

  #broke(policy: string, cause: string, error: unknown): void {
    const why = error instanceof Error ? `${cause}: ${error.message}` : cause;
    this.#exchange.policyFailed(policy, why, error);
  }

  /** The exchange has ended. */
  end(cause: string): void {
    this.#request?.end(cause);
    this.#replyCollector?.cancel();
    this.#replyCollector = undefined;
    this.#pipe?.abort(cause);
    this.#pipe = undefined;
    this.#heldReply?.release();
    this.#heldReply = undefined;
  }
}
