/** Splits the output of a child process into lines of bounded length. */
import { StringDecoder } from 'node:string_decoder';

export const MAX_LINE = 4096;

/** Takes chunks and emits whole lines. A longer line is cut at MAX_LINE characters; the rest is dropped. */
export class LineSplitter {
  readonly #decoder = new StringDecoder('utf8');
  readonly #emit: (line: string) => void;
  #partial = '';
  #cut = false;

  constructor(emit: (line: string) => void) {
    this.#emit = emit;
  }

  push(chunk: Buffer): void {
    this.#take(this.#decoder.write(chunk));
  }

  /** End of the stream: text after the last newline is a line too. */
  end(): void {
    this.#take(this.#decoder.end());
    this.#flush();
  }

  #take(text: string): void {
    let from = 0;
    for (let newline = text.indexOf('\n'); newline >= 0; newline = text.indexOf('\n', from)) {
      this.#append(text.slice(from, newline));
      this.#flush();
      from = newline + 1;
    }
    this.#append(text.slice(from));
  }

  #append(text: string): void {
    const room = MAX_LINE - this.#partial.length;
    if (text.length > room) this.#cut = true;
    this.#partial += text.slice(0, Math.max(0, room));
  }

  #flush(): void {
    const line = this.#partial.endsWith('\r') ? this.#partial.slice(0, -1) : this.#partial;
    if (line !== '') this.#emit(this.#cut ? `${line}…` : line);
    this.#partial = '';
    this.#cut = false;
  }
}
