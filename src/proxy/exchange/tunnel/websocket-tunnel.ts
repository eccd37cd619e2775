/**
 * A WebSocket after its handshake. Frames pass unchanged and at once; gw reads them only to find their ends, so that it can
 * bound messages and close with a code: its Close frames are between frames of the two ends, never within one.
 */
import type { WebSocketEntry } from '../../../bundle/types.js';
import type { WebSocketRecord } from '../../../telemetry/snapshot.js';
import { Counter } from '../../../telemetry/stats/layout.js';
import type { CounterWord } from '../../../telemetry/stats/writer.js';
import { timeSpan } from '../../errors/cause.js';
import type { ErrorSlug } from '../../errors/errors.js';
import { CloseCode, closeFrame } from '../../websocket/close.js';
import { type Extensions, FrameReader } from '../../websocket/frames.js';
import { OpenTunnel, type TunnelParts } from './open-tunnel.js';

/**
 * After a violation by the client, gw tells the target first: the replies to earlier messages, and the target's own Close,
 * still reach the client. Milliseconds that this may take.
 */
const TARGET_FIRST_MS = 500;
/** Milliseconds for the closing handshake after gw's own Close. */
const GRACE_MS = 2000;
/** After a Close from one end: milliseconds for the other one to answer, and then for the target to close (section 7.1.1). */
const ANSWER_MS = 30_000;
const CLOSE_MS = 5000;

const ERRORS: { readonly [code: number]: ErrorSlug } = {
  [CloseCode.ProtocolError]: 'websocket/protocol',
  [CloseCode.Policy]: 'websocket/rate',
  [CloseCode.TooBig]: 'websocket/too-large',
};

/** The route of a WebSocket: its counters and limits. */
export interface WebSocketRoute {
  readonly stats: { add(slot: number, counter: CounterWord, amount: number): void };
  readonly slot: number;
  readonly settings: WebSocketEntry | undefined;
}

/** One direction. */
interface Direction {
  readonly reader: FrameReader;
  /** A Close of gw that waits for the end of the frame that passes now; 0: none. */
  pending: number;
  /** A Close frame has passed, of the sender or of gw. */
  told: boolean;
}

const direction = (reader: FrameReader): Direction => ({ reader, pending: 0, told: false });

export class WebSocketTunnel extends OpenTunnel {
  readonly #toTarget: Direction;
  readonly #toClient: Direction;
  /** The code with which gw closes; 0 while it does not. */
  #closing = 0;
  /** The client's Close waits for that of the target. */
  #targetFirst = false;

  readonly #limited: boolean;
  readonly #route: WebSocketRoute;
  /** The first Close frame, and its sender. */
  #code: number | null = null;
  #by: WebSocketRecord['closedBy'] = null;

  constructor(parts: TunnelParts, route: WebSocketRoute, extensions: Extensions) {
    super(parts);
    this.#route = route;
    this.#count(Counter.WebSockets, 1);
    this.#count(Counter.OpenWebSockets, 1);
    const { maxMessage = 0, maxReplyMessage = 0, rate } = route.settings ?? {};
    this.#limited = rate !== undefined;
    this.#toTarget = direction(new FrameReader(true, { maxMessage, rate }, extensions));
    this.#toClient = direction(new FrameReader(false, { maxMessage: maxReplyMessage }, extensions));
  }

  protected override toTarget(bytes: Buffer): boolean {
    const { reader } = this.#toTarget;
    const { messages } = reader;
    const passing = reader.read(bytes, this.#now());
    this.#count(Counter.WebSocketBytesIn, passing.length);
    if (reader.messages !== messages) this.#count(Counter.WebSocketMessagesIn, reader.messages - messages);
    const more = passing.length === 0 || super.toTarget(passing);
    this.#passed(this.#toTarget);
    return more;
  }

  protected override toClient(bytes: Buffer, done: () => void): void {
    const { reader } = this.#toClient;
    const { messages } = reader;
    const passing = reader.read(bytes, 0);
    this.#count(Counter.WebSocketBytesOut, passing.length);
    if (reader.messages !== messages) this.#count(Counter.WebSocketMessagesOut, reader.messages - messages);
    if (passing.length === 0) done();
    else super.toClient(passing, done);
    this.#passed(this.#toClient);
  }

  /** For the access log. */
  override get record(): WebSocketRecord {
    return {
      messagesIn: this.#toTarget.reader.messages,
      messagesOut: this.#toClient.reader.messages,
      closeCode: this.#code,
      closedBy: this.#by,
    };
  }

  protected override ending(): void {
    this.#count(Counter.OpenWebSockets, -1);
  }

  #count(counter: CounterWord, amount: number): void {
    this.#route.stats.add(this.#route.slot, counter, amount);
  }

  #closedBy(by: 'client' | 'target' | 'gateway', code: number): void {
    if (this.#by !== null) return;
    this.#by = by;
    this.#code = code;
  }

  /** Only the rate needs the time. */
  #now(): number {
    return this.#limited ? this.parts.host.monotonic() : 0;
  }

  /** Looks at what the last bytes of a direction were. */
  #passed(way: Direction): void {
    const { reader } = way;
    way.told ||= reader.closePassed;
    if (way.pending !== 0 && reader.stopped) this.#tell(way, way.pending);
    if (reader.fault !== 0 && this.#closing === 0) {
      const first = way === this.#toTarget && reader.fault === CloseCode.ProtocolError;
      this.#close(reader.fault, ERRORS[reader.fault]!, reader.cause, first);
    }
    if (reader.closed) this.#onClose(way);
  }

  /** A Close frame of one of the ends has come. */
  #onClose(way: Direction): void {
    this.#closedBy(way === this.#toTarget ? 'client' : 'target', way.reader.closeCode);
    const both = this.#toTarget.reader.closed && this.#toClient.reader.closed;
    if (this.#closing !== 0) {
      // The client broke the protocol: its answer is not read.
      if (both || (this.#targetFirst && way === this.#toClient)) this.finish();
    } else this.endWithin(both ? CLOSE_MS : ANSWER_MS);
  }

  override clientEnded(): void {
    const rest = this.#toTarget.reader.rest();
    if (rest.length > 0) super.toTarget(rest);
    super.clientEnded();
    if (this.#closing !== 0) this.finish();
  }

  override onEnd(): void {
    const rest = this.#toClient.reader.rest();
    if (rest.length > 0) super.toClient(rest, noop);
    if (this.#closing === 0) {
      super.onEnd();
      return;
    }
    // The client has not been told yet, and no frame of the target is in its way.
    this.#tellClient();
    this.finish();
  }

  override retire(): void {
    this.#goAway('tunnel/drained', 'gw or its listener stops');
  }

  protected override onIdle(ms: number): void {
    if (this.#closing === 0) this.#goAway('tunnel/idle', `tunnel idle timeout (${timeSpan(ms)})`);
    else this.finish();
  }

  #goAway(error: ErrorSlug, cause: string): void {
    // One end has begun the closing handshake.
    if (this.#toTarget.told || this.#toClient.told) this.endWithin(GRACE_MS);
    else this.#close(CloseCode.GoingAway, error, cause, false);
  }

  /** `targetFirst`: the client is told when the target has answered. */
  #close(code: number, error: ErrorSlug, cause: string, targetFirst: boolean): void {
    if (this.#closing !== 0 || this.over) return;
    this.#closing = code;
    this.#closedBy('gateway', code);
    this.parts.note(error, cause);
    this.#targetFirst = targetFirst && !this.#toClient.told;
    this.#stop(this.#toTarget);
    if (this.#targetFirst) this.endWithin(TARGET_FIRST_MS);
    else this.#tellClient();
  }

  #tellClient(): void {
    this.#targetFirst = false;
    this.#stop(this.#toClient);
    this.endWithin(GRACE_MS);
  }

  protected override onDeadline(): void {
    if (this.#targetFirst) this.#tellClient();
    else this.finish();
  }

  /** Nothing of the sender passes after its current frame, then comes gw's Close. */
  #stop(way: Direction): void {
    if (way.told) return;
    way.reader.stop();
    if (way.reader.stopped) this.#tell(way, this.#closing);
    else way.pending = this.#closing;
  }

  #tell(way: Direction, code: number): void {
    way.pending = 0;
    if (way.told) return;
    way.told = true;
    if (way === this.#toTarget) super.toTarget(closeFrame(code, true));
    else super.toClient(closeFrame(code, false), noop);
  }
}

const noop = (): void => {};
