/** A target's shared connections, in the order in which they are filled. */
import type { Pipeline } from './pipeline.js';

export class Pipelines {
  readonly #list: Pipeline[] = [];

  get length(): number {
    return this.#list.length;
  }

  /** Those that are there now. */
  all(): readonly Pipeline[] {
    return [...this.#list];
  }

  push(pipeline: Pipeline): void {
    this.#list.push(pipeline);
  }

  delete(pipeline: Pipeline): void {
    const at = this.#list.indexOf(pipeline);
    if (at >= 0) this.#list.splice(at, 1);
  }

  /** The first with room in a line of at most `most`. As few as will do, so that much is written at once. */
  withRoom(most: number, now: number): Pipeline | undefined {
    for (const pipeline of this.#list) if (pipeline.hasRoom(most, now)) return pipeline;
    return undefined;
  }

  /** Closes idle ones, `count` at most. */
  closeIdle(count = this.#list.length): void {
    for (const pipeline of this.#list.filter(({ idle }) => idle).slice(0, count)) pipeline.leave();
  }

  /** One of them takes no further exchange, and closes, unless one is about to. A stalled one is not waited for. */
  makeRoom(now: number): void {
    if (this.#list.some((pipeline) => pipeline.leaving && !pipeline.stalled(now))) return;
    const staying = this.#list.filter(({ leaving }) => !leaving);
    (staying.findLast((pipeline) => !pipeline.stalled(now)) ?? staying.at(-1))?.leave();
  }
}
