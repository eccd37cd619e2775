/**
 * Upgrades: WebSocket and other protocols that use 101. The exchange has passed its chain; http-proxy sends the request
 * to the target and forwards bytes. The target's reply passes the chain like every other reply. After a 101, the tunnel
 * begins (tunnel/).
 */
import type { Reply } from '../../policies/contract.js';
import { HeaderMap, problem } from '../../policies/run-kit.js';
import { messageOf } from '../../reason.js';
import type { WebSocketRecord } from '../../telemetry/snapshot.js';
import { BAD_REWRITE, handshakesFull, timeSpan } from '../errors/cause.js';
import { ERRORS, type ErrorSlug } from '../errors/errors.js';
import { BodyReader } from '../http/body.js';
import { forwardedFields } from '../http/reply-fields.js';
import { MAX_RESPONSE_HEAD, RESET_CONTENT, ResponseHead } from '../http/response-head.js';
import { Seen } from '../http/seen.js';
import { replyTrailers } from '../http/trailers.js';
import type { Service } from '../upstream/service.js';
import type { AttemptUser } from '../upstream/shown-attempt.js';
import type { Target } from '../upstream/target.js';
import type { Extensions } from '../websocket/frames.js';
import { TargetAttempt } from './attempt.js';
import { refusalOf } from './attempt-notes.js';
import type { Downstream, ReplySource } from './downstream.js';
import type { GwExchange } from './exchange.js';
import type { RelayHost } from './relay-host.js';
import { TargetChoice } from './target-choice.js';
import { requestHead, upgradeLines } from './target-head.js';
import { rewriteFault } from './target-path.js';
import { isBodiless, TargetReply, upgradeOf } from './target-reply.js';
import { failureOf, type HandshakeState, stageOf } from './tunnel/failure.js';
import { handshakeFault, handshakeResult } from './tunnel/handshake.js';
import { OpenTunnel, type TunnelParts } from './tunnel/open-tunnel.js';
import { TunnelPass } from './tunnel/pass.js';
import { StepTimer } from './tunnel/step-timer.js';
import { WebSocketTunnel } from './tunnel/websocket-tunnel.js';
import { requestUpgrade, type UpgradeOwner, type UpgradeStream } from './upgrade-stream.js';

const IDLE = 'response idle timeout: no further bytes of the body';

/** What is wrong with the body so far. */
const bodyFault = (body: BodyReader, status: number): string | undefined =>
  body.failed ? body.fault : status === 205 && body.end > body.start ? RESET_CONTENT : undefined;

export class Tunnel implements ReplySource, UpgradeOwner, AttemptUser {
  contentLength = -1;
  readonly readsRequest = true;
  readonly #host: RelayHost;
  readonly #exchange: GwExchange;
  readonly #downstream: Downstream;
  readonly #service: Service;
  #stream: UpgradeStream | undefined;
  #target: Target | undefined;
  #attempts = 0;
  /** A target has answered 401, and a policy asked for a repeat. */
  #unauthorized = false;
  #attempt: TargetAttempt | undefined = undefined;
  over = false;
  readonly #timer: StepTimer;
  readonly #pass: TunnelPass;
  readonly #choice: TargetChoice;
  #state: HandshakeState = 'connecting';
  #held: Buffer = Buffer.alloc(0);
  #heldDone: (() => void) | undefined;
  readonly #body = new BodyReader();
  #status = 0;
  #bytesFromTarget = 0;
  #open: OpenTunnel | undefined;
  /** Of a WebSocket: what its frames may use. */
  #extensions: Extensions | undefined;

  constructor(host: RelayHost, exchange: GwExchange, service: Service) {
    this.#host = host;
    this.#exchange = exchange;
    this.#downstream = exchange.downstream!;
    this.#service = service;
    this.#choice = new TargetChoice(exchange, service);
    this.#timer = new StepTimer(host);
    this.#pass = new TunnelPass(service);
  }

  get bodiless(): boolean {
    return isBodiless(this.#status);
  }

  get setCookie(): string | undefined {
    return this.#choice.cookieOf(this.#target);
  }

  start(): void {
    const fault = handshakeFault(this.#exchange);
    if (fault !== undefined) {
      this.#answer(fault.error, fault.cause);
      return;
    }
    const refusal = this.#pass.admit();
    if (refusal === undefined) this.begin();
    else this.say(refusalOf(this.#exchange, refusal), refusal.error, refusal.cause);
  }

  begin(): void {
    const target = this.#choice.pick(this.#host.monotonic());
    this.#target = target;
    if (target === undefined) {
      this.#choice.wait(this);
      return;
    }
    const full = target.handshakes >= target.mostHandshakes;
    if (full || !this.#host.descriptors.takeTunnel()) {
      if (full) this.#answer('upstream/queue-full', handshakesFull(target.mostHandshakes));
      else this.#answer('gateway/exhausted', 'out of file descriptors for tunnels');
      return;
    }
    target.handshakes++;
    this.#attempts++;
    this.#state = 'connecting';
    this.#exchange.target = target.url;
    target.begin();
    this.#host.stats.begin(target.slot);
    if (!this.#exchange.compiled!.chain.seesAttempts) {
      this.onAttemptReady(target);
      return;
    }
    this.#attempt = new TargetAttempt(this.#exchange, target, this.#attempts, this.#unauthorized);
    this.#attempt.show(this);
  }

  onAttemptAnswered(reply: Reply): void {
    this.#endAttempt(false);
    this.say(reply, reply.code ?? 'policy/answered', reply.cause ?? null);
  }

  /** Policies fail closed. */
  onAttemptFailed(error: unknown): void {
    this.#endAttempt(false);
    this.#answer('policy/failed', `a policy failed before an attempt: ${messageOf(error)}`);
  }

  onAttemptReady(target: Target): void {
    const upgrade = this.#exchange.headers.received('upgrade') ?? '';
    const write = (): string | undefined => requestHead(this.#exchange, target, upgradeLines(this.#exchange));
    const text = this.#attempt === undefined ? write() : this.#attempt.withFields(write);
    if (text === undefined) {
      this.#endAttempt(false);
      this.#answer(rewriteFault(this.#exchange), BAD_REWRITE);
      return;
    }
    this.#within(this.#service.entry.connectTimeout, 'upstream/connect-timeout', 'connect timeout');
    this.#exchange.sent = true;
    this.#stream = requestUpgrade(this, target, text, upgrade, this.#exchange.remoteAddress);
  }

  /** Sets the timeout of the next step, in milliseconds. */
  #within(ms: number, error: ErrorSlug, what: string): void {
    this.#timer.set(ms, () => {
      const doing = this.#state === 'connecting' ? (this.#stream?.waitsFor ?? what) : what;
      this.onFailure(error, `${doing} (${timeSpan(ms)})`);
    });
  }

  onConnected(): void {
    if (this.#state !== 'connecting') return;
    this.#state = 'head';
    this.#host.descriptors.tunnelOpened();
    this.#within(this.#service.entry.responseTimeout, 'upstream/timeout', 'response head timeout');
  }

  onBytes(chunk: Buffer, done: () => void): void {
    if (this.#state === 'connecting' || this.#state === 'head') {
      this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
      this.#readHead(done);
    } else if (this.#state === 'waiting') {
      this.#held = Buffer.concat([this.#held, chunk]);
      this.#heldDone = done;
    } else {
      this.#passOn(chunk, done);
    }
  }

  #readHead(done: () => void): void {
    const head = new ResponseHead();
    const length = head.parse(this.#held.toString('latin1', 0, MAX_RESPONSE_HEAD));
    if (length === 0) {
      done();
      return;
    }
    this.#timer.clear();
    const upgrade = head.status === 101 ? upgradeOf(head) : undefined;
    const result = length < 0 ? { fault: head.fault } : handshakeResult(this.#exchange, head, upgrade);
    if ('fault' in result) {
      done();
      this.onFailure('upstream/invalid', `invalid reply: ${result.fault}`);
      return;
    }
    this.#extensions = result.extensions;
    this.#status = head.status;
    this.#target?.health.replied(head.status, this.#host.monotonic() - this.#choice.since);
    if (head.status === 401 && this.#attempt?.repeats === true) {
      done();
      this.#repeat();
      return;
    }
    this.#pass.answered(head.status, this.#target);
    this.#target!.handshakes--;
    this.#state = 'waiting';
    this.#held = this.#held.subarray(length);
    this.#heldDone = done;
    this.#exchange.upstreamMs = this.#host.monotonic() - this.#exchange.startMs;
    if (head.status !== 101) {
      this.contentLength = head.contentLength;
      this.#body.begin(head.bodyKind(this.#exchange.method === 'HEAD'), head.contentLength);
      // 100 precedes the 101, even without a body: RFC 9110 section 7.8. gw sends it, since the target gets no Expect.
    } else if (this.#exchange.seen & Seen.Expect) this.#downstream.interim(100, new HeaderMap());
    this.#host.driver.replied(this.#exchange, new TargetReply(head, this));
  }

  /** Sends the request once more after a 401. */
  #repeat(): void {
    this.#unauthorized = true;
    this.#letGo(false, true);
    this.#state = 'connecting';
    this.#held = Buffer.alloc(0);
    this.#status = 0;
    this.begin();
  }

  onInterim(text: string): void {
    const head = new ResponseHead();
    if (head.parse(text) !== text.length)
      this.onFailure('upstream/invalid', `invalid reply: ${head.fault || 'informational reply'}`);
    // Drop 100 Continue: gw has sent it if the client expects it.
    else if (head.status !== 100) this.#downstream.interim(head.status, forwardedFields(head));
  }

  flow(): void {
    const held = this.#held;
    const done = this.#heldDone ?? ((): void => {});
    this.#held = Buffer.alloc(0);
    this.#heldDone = undefined;
    if (this.#status === 101) {
      this.#tunnel(this.#stream!).onBytes(held, done);
      return;
    }
    this.#state = 'body';
    this.#passOn(held, done);
  }

  #tunnel(stream: UpgradeStream): OpenTunnel {
    const { webSocket } = this.#exchange.route;
    const extensions = this.#extensions;
    const parts: TunnelParts = {
      host: this.#host,
      note: (error, cause) => this.#note(error, cause),
      downstream: this.#downstream,
      stream,
      idleTimeout: () => (extensions && webSocket?.idleTimeout) ?? this.#service.entry.tunnelIdleTimeout,
      ended: (now) => this.#finish(false, now),
    };
    const route = { stats: this.#host.stats, slot: this.#exchange.compiled!.slot, settings: webSocket };
    const open = extensions === undefined ? new OpenTunnel(parts) : new WebSocketTunnel(parts, route, extensions);
    this.#open = open;
    stream.handTo(open);
    this.#downstream.tunnel(open);
    return open;
  }

  get webSocket(): WebSocketRecord | undefined {
    return this.#open?.record;
  }

  #passOn(chunk: Buffer, done: () => void): void {
    this.#bytesFromTarget += chunk.length;
    const body = this.#body;
    body.take(chunk, 0, chunk.length);
    const fault = bodyFault(body, this.#status);
    if (fault !== undefined || (this.#status === 205 && !body.done)) {
      done();
      if (fault === undefined) this.#within(this.#service.entry.responseTimeout, 'upstream/timeout', IDLE);
      else this.onFailure('upstream/invalid', `invalid reply: ${fault}`);
      return;
    }
    if (body.done) this.#complete();
    if (body.done && body.trailers !== '') this.#exchange.receiver!.trailers(replyTrailers(body.trailers));
    const more = this.#exchange.receiver!.body(chunk, body.start, body.end, body.done);
    if (this.over) {
      done();
    } else if (more) {
      this.#within(this.#service.entry.responseTimeout, 'upstream/timeout', IDLE);
      done();
    } else {
      // Time spent waiting for the client does not count for the target.
      this.#timer.clear();
      this.#heldDone = done;
    }
  }

  resume(): void {
    const done = this.#heldDone;
    this.#heldDone = undefined;
    if (done !== undefined && this.#state === 'body')
      this.#within(this.#service.entry.responseTimeout, 'upstream/timeout', IDLE);
    done?.();
  }

  onEnd(): void {
    if (this.#state === 'body' && this.#body.kind === 'close') {
      this.#complete();
      this.#exchange.receiver!.body(this.#held, 0, 0, true);
    } else {
      this.onFailure(
        'upstream/reset',
        `connection closed by the target ${stageOf(this.#state, this.#held.length > 0)}`,
      );
    }
  }

  onWanted(): void {}

  onFailure(what: ErrorSlug, why: string): void {
    if (this.over) return;
    const { error, cause } = failureOf(this.#service.entry, this.#state, what, why);
    const replied = this.#state === 'waiting' || this.#state === 'body';
    if (this.#target !== undefined) this.#choice.failed(this.#target, error, cause, replied);
    const again = this.#state === 'connecting' && this.#choice.repeats(this.#target, error, cause, this.#host);
    this.#letGo(true, true);
    if (again) {
      this.begin();
      return;
    }
    this.#pass.failed(error, cause);
    this.#pass.end();
    this.over = true;
    const aborted = error === 'upstream/reset' && this.#exchange.sending;
    if (replied) this.#host.driver.fail(this.#exchange, aborted ? 'upstream/aborted' : error, cause);
    else this.#answer(error, cause);
  }

  /** The reply is complete. */
  #complete(): void {
    this.#pass.whole(this.#target);
    this.#finish(false);
  }

  #finish(failed: boolean, now = failed): void {
    if (this.over) return;
    this.over = true;
    this.#pass.end();
    this.#letGo(failed, now);
  }

  /** Releases the target; `now`: drop bytes that are written already. */
  #letGo(failed: boolean, now: boolean): void {
    this.#timer.clear();
    this.#choice.stopWaiting();
    this.#endAttempt(failed);
    this.#stream?.finish(now);
    this.#stream = undefined;
  }

  #endAttempt(failed: boolean): void {
    if (this.#target === undefined) return;
    if (this.#state === 'connecting' || this.#state === 'head') this.#target.handshakes--;
    const took = this.#host.monotonic() - this.#choice.since;
    const { bytesToTarget = 0, bytesFromTarget = this.#bytesFromTarget } = this.#open ?? {};
    this.#target.end();
    this.#host.descriptors.freeTunnel(this.#state !== 'connecting');
    this.#host.stats.end(this.#target.slot, this.#status, bytesToTarget, bytesFromTarget, took, failed);
  }

  #answer(error: ErrorSlug, cause: string): void {
    this.say(problem(this.#exchange, { code: error, ...ERRORS[error] }), error, cause);
  }

  #note(error: string, cause: string | null): void {
    this.#exchange.error = error;
    this.#exchange.cause = cause;
  }

  say(reply: Reply, error: string, cause: string | null): void {
    this.over = true;
    this.#pass.end();
    this.#note(error, cause);
    try {
      this.#host.driver.replied(this.#exchange, reply);
    } catch (bug) {
      // This may be an event of the target's socket, where no caller catches exceptions.
      this.#downstream.broke(bug);
    }
  }

  cancel(): void {
    if (this.#open !== undefined) this.#open.cancel();
    else this.#finish(false, true);
  }

  discard(): void {
    this.cancel();
  }
}
