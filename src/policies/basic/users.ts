/** The users of the files, in one sorted text: `NAME:HASH` and a line feed each. */
export class FileUsers {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The hash of a user; undefined for an unknown one. */
  get(name: string): string | undefined {
    const text = this.#text;
    // Both are beginnings of lines.
    let [low, high] = [0, text.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const start = Math.max(low, middle === 0 ? 0 : text.lastIndexOf('\n', middle - 1) + 1);
      const colon = text.indexOf(':', start);
      const end = text.indexOf('\n', colon);
      const found = text.slice(start, colon);
      if (found === name) return text.slice(colon + 1, end);
      if (found < name) low = end + 1;
      else high = start;
    }
    return undefined;
  }
}
