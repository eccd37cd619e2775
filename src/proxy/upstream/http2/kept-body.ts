/** The begin of a request's body, to send it again if the target says that it has not processed the request. */

/** Bytes that are kept until the reply. */
const MOST = 64 * 1024;

export class KeptBody {
  #parts: Buffer[] | undefined = [];
  #bytes = 0;

  /** All parts so far; undefined if it was too much, or a reply has come. */
  get parts(): readonly Buffer[] | undefined {
    return this.#parts;
  }

  /** `part` must not change afterwards. */
  add(part: Buffer): void {
    this.#bytes += part.length;
    if (this.#bytes > MOST) this.drop();
    else this.#parts?.push(part);
  }

  drop(): void {
    this.#parts = undefined;
  }
}
