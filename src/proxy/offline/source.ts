/** The source of a reply in an offline run. */
import type { ReplySource } from '../exchange/downstream.js';

/** Takes the place of a relay: replies at once with an available body. */
export class OfflineSource implements ReplySource {
  readonly contentLength = 0;
  readonly bodiless = true;
  readonly start: () => void;

  constructor(start: () => void) {
    this.start = start;
  }

  flow(): void {}
  resume(): void {}
  cancel(): void {}
  discard(): void {}
}
