/** The two lists of a pool's connections that can take a request: idle ones, and shared ones. */
import type { UpstreamConnection } from './connection.js';
import type { Pipeline } from './pipeline.js';

/** Idle connections, the last used one at the end. */
export class IdleConnections {
  readonly #list: UpstreamConnection[] = [];

  get length(): number {
    return this.#list.length;
  }

  push(connection: UpstreamConnection): void {
    this.#list.push(connection);
  }

  /** The usable one that was used last: of `owner`, or of any if it is undefined. */
  take(owner?: string): UpstreamConnection | undefined {
    for (let at = this.#list.length - 1; at >= 0; at--) {
      const idle = this.#list[at]!;
      if (idle.usable && owner !== undefined && idle.owner !== owner) continue;
      this.#list.splice(at, 1);
      if (idle.usable) return idle;
      idle.abandon();
      // Others may have closed with it.
      at = Math.min(at, this.#list.length);
    }
    return undefined;
  }

  /** Closes `count` connections, the longest idle first. */
  close(count = this.#list.length): void {
    for (const connection of this.#list.slice(0, count)) connection.abandon();
  }

  delete(connection: UpstreamConnection): void {
    remove(this.#list, connection);
  }
}

/** Shared connections, in the order in which they are filled. */
export class Pipelines {
  readonly #list: Pipeline[] = [];

  get length(): number {
    return this.#list.length;
  }

  /** A copy of the list. */
  all(): readonly Pipeline[] {
    return [...this.#list];
  }

  push(pipeline: Pipeline): void {
    this.#list.push(pipeline);
  }

  delete(pipeline: Pipeline): void {
    remove(this.#list, pipeline);
  }

  /** The first with fewer than `most` requests. Few connections are filled, so that each write is large. */
  withRoom(most: number, now: number): Pipeline | undefined {
    for (const pipeline of this.#list) if (pipeline.hasRoom(most, now)) return pipeline;
    return undefined;
  }

  /** Closes at most `count` idle ones. */
  closeIdle(count = this.#list.length): void {
    for (const pipeline of this.#list.filter(({ idle }) => idle).slice(0, count)) pipeline.leave();
  }

  /** Makes one of them close after its last reply, unless one that is not stalled does so already. */
  makeRoom(now: number): void {
    if (this.#list.some((pipeline) => pipeline.leaving && !pipeline.stalled(now))) return;
    const staying = this.#list.filter(({ leaving }) => !leaving);
    (staying.findLast((pipeline) => !pipeline.stalled(now)) ?? staying.at(-1))?.leave();
  }
}

function remove<T>(list: T[], item: T): void {
  const at = list.indexOf(item);
  if (at >= 0) list.splice(at, 1);
}
