/**
 * A tunnel after its 101: bytes pass unchanged in both directions, each until its sender ends it. It ends when both have,
 * when one end fails, and after its idle timeout.
 */
import type { WebSocketRecord } from '../../../telemetry/snapshot.js';
import { timeSpan } from '../../errors/cause.js';
import type { ErrorSlug } from '../../errors/errors.js';

/** Milliseconds of silence after which a tunnel ends whose target has ended its half: clients close then, or are gone. */
const HALF_CLOSED_MS = 30_000;

/** The target side of a tunnel, as the client's connection sees it. */
export interface TunnelEnd {
  /** False: accepts no more until `tunnelWantsMore` is called. */
  fromClient(bytes: Buffer): boolean;
  clientEnded(): void;
  /** The client's connection is to close: the tunnel ends in an orderly way, if its protocol has one. */
  retire(): void;
}

/** The client side of a tunnel. */
export interface TunnelClient {
  /** Sends bytes of the tunnel; `written` is called when the client's socket has accepted them. */
  tunnelWrite(bytes: Buffer, written: () => void): void;
  tunnelWantsMore(): void;
  /** The target sends no more; the client may. */
  tunnelHalfEnded(): void;
  tunnelEnded(): void;
}

export interface TunnelHost {
  /** Monotonic milliseconds. */
  monotonic(): number;
  /** The same, up to a sweep old. */
  cachedNow(): number;
}

/** What a tunnel is made of. */
export interface TunnelParts {
  readonly host: TunnelHost;
  /** What the access log says about the end. */
  readonly note: (error: ErrorSlug, cause: string) => void;
  readonly downstream: TunnelClient;
  /** Takes bytes for the target, and null for their end. False: it takes no more until onWanted(). */
  readonly stream: { push(bytes: Buffer | null): boolean };
  /** Longest silence in both directions, in milliseconds; 0: no limit. Read anew: a reload changes it. */
  readonly idleTimeout: () => number;
  /** It has ended; called once, before its client's side ends. `now`: bytes that are written already may be dropped. */
  readonly ended: (now: boolean) => void;
}

export class OpenTunnel implements TunnelEnd {
  bytesToTarget = 0;
  bytesFromTarget = 0;
  protected readonly parts: TunnelParts;
  protected clientHasEnded = false;
  protected over = false;
  #targetHasEnded = false;
  /** Monotonic milliseconds, roughly, of the last traffic. */
  #movedAt: number;
  /** When it must be over; 0: no such time. */
  #deadline = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: TunnelParts) {
    this.parts = parts;
    this.#movedAt = parts.host.monotonic();
    this.#look();
  }

  /** For the access log; undefined if gw does not know the protocol. */
  get record(): WebSocketRecord | undefined {
    return undefined;
  }

  fromClient(bytes: Buffer): boolean {
    this.#movedAt = this.parts.host.cachedNow();
    return this.toTarget(bytes);
  }

  protected toTarget(bytes: Buffer): boolean {
    this.bytesToTarget += bytes.length;
    return this.clientHasEnded || this.over || this.parts.stream.push(bytes);
  }

  clientEnded(): void {
    if (this.clientHasEnded || this.over) return;
    this.clientHasEnded = true;
    if (this.#targetHasEnded) this.finish();
    else this.parts.stream.push(null);
  }

  onBytes(chunk: Buffer, done: () => void): void {
    this.#movedAt = this.parts.host.cachedNow();
    if (chunk.length === 0) done();
    else this.toClient(chunk, done);
  }

  protected toClient(bytes: Buffer, done: () => void): void {
    this.bytesFromTarget += bytes.length;
    this.parts.downstream.tunnelWrite(bytes, done);
  }

  onEnd(): void {
    if (this.#targetHasEnded || this.over) return;
    this.#targetHasEnded = true;
    if (this.clientHasEnded) {
      this.finish();
      return;
    }
    this.parts.downstream.tunnelHalfEnded();
    this.#look();
  }

  onWanted(): void {
    if (!this.over) this.parts.downstream.tunnelWantsMore();
  }

  /** Any close of one end is a normal end of a tunnel. */
  onFailure(): void {
    this.finish();
  }

  onConnected(): void {}
  onInterim(): void {}

  /** gw stops, or its listener: only a protocol that gw knows can be told. */
  retire(): void {}

  /** The client's side has ended the exchange. */
  cancel(): void {
    this.#end(true);
  }

  /** Ends both sides, after what is written. */
  protected finish(): void {
    if (this.#end(false)) this.parts.downstream.tunnelEnded();
  }

  #end(now: boolean): boolean {
    if (this.over) return false;
    this.over = true;
    clearTimeout(this.#timer);
    this.ending();
    this.parts.ended(now);
    return true;
  }

  /** Called once. */
  protected ending(): void {}

  /** The tunnel must be over in `ms` milliseconds, unless an earlier time was set. */
  protected endWithin(ms: number): void {
    const at = this.parts.host.monotonic() + ms;
    if (this.#deadline === 0 || at < this.#deadline) this.#deadline = at;
    this.#look();
  }

  /** The time of endWithin() is over. */
  protected onDeadline(): void {
    this.finish();
  }

  protected onIdle(ms: number): void {
    this.parts.note('tunnel/idle', `tunnel idle timeout (${timeSpan(ms)})`);
    this.finish();
  }

  /** Waits for the idle timeout or the deadline, whichever is first. */
  #look(): void {
    clearTimeout(this.#timer);
    if (this.over) return;
    const now = this.parts.host.monotonic();
    const idle = this.#idleTimeout();
    const idleAt = idle === 0 ? Number.POSITIVE_INFINITY : this.#movedAt + idle;
    if (this.#deadline !== 0 && now >= this.#deadline) {
      this.#deadline = 0;
      this.onDeadline();
      this.#look();
    } else if (now >= idleAt) {
      this.#movedAt = now;
      this.onIdle(idle);
      this.#look();
    } else {
      const next = Math.min(idleAt, this.#deadline === 0 ? idleAt : this.#deadline) - now;
      // Without a limit, look now and then: a reload may set one.
      this.#timer = setTimeout(() => this.#look(), Math.min(Math.max(1, Math.ceil(next)), LONGEST_LOOK)).unref();
    }
  }

  #idleTimeout(): number {
    const idle = this.parts.idleTimeout();
    return this.#targetHasEnded && (idle === 0 || idle > HALF_CLOSED_MS) ? HALF_CLOSED_MS : idle;
  }
}

const LONGEST_LOOK = 600_000;
