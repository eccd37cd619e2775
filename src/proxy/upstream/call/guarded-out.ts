/** Where a policy takes a streamed reply. An exception of it must not reach the connection that the reply comes from. */
import type { BodyOut, HeaderFields } from '../../../contract/index.js';
import { messageOf } from '../../../reason.js';

/** The log line about such an exception. */
export const RECEIVER_FAILED = 'receiver of a streamed reply failed';

/** Its fields. */
export const failedReceiver = (of: { readonly [name: string]: string }, error: unknown): Record<string, unknown> => ({
  ...of,
  cause: messageOf(error),
  stack: error instanceof Error ? error.stack : undefined,
});

export class GuardedOut implements BodyOut {
  readonly #out: BodyOut;
  readonly #broke: (error: unknown) => void;
  #over = false;

  /** `broke` is called once, with the first exception; nothing is written afterwards. */
  constructor(out: BodyOut, broke: (error: unknown) => void) {
    this.#out = out;
    this.#broke = broke;
  }

  write(bytes: Uint8Array): boolean {
    let more = false;
    this.#guard(() => {
      more = this.#out.write(bytes);
    });
    return more;
  }

  end(trailers?: HeaderFields): void {
    this.#guard(() => this.#out.end(trailers));
  }

  fail(cause: string): void {
    this.#guard(() => this.#out.fail(cause));
  }

  onWritable(callback: () => void): void {
    this.#guard(() => this.#out.onWritable(callback));
  }

  #guard(work: () => void): void {
    if (this.#over) return;
    try {
      work();
    } catch (error) {
      this.#over = true;
      this.#broke(error);
    }
  }
}
