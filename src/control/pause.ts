/** A wait that can be cut short. Whoever waits asks afterwards why it is over. */
export class Pause {
  #end: (() => void) | undefined;

  /** Resolves after so many milliseconds, or when end() is called. One wait at a time. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#end = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Ends the wait, if there is one. */
  end(): void {
    this.#end?.();
  }
}
