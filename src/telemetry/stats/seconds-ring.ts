/** A count for each of the last seconds, and for the current one. */
export class SecondsRing {
  readonly #counts: Float64Array;
  /** The second of the newest count, on the caller's clock. */
  #second = 0;

  /** `seconds`: how many whole seconds are kept. */
  constructor(seconds: number) {
    this.#counts = new Float64Array(seconds + 1);
  }

  /** Spreads `amount` evenly between two times, so that a late call still gives each second its share. */
  add(amount: number, fromMs: number, toMs: number): void {
    this.#advance(toMs);
    const span = Math.max(0, toMs - fromMs);
    const oldest = this.#second - this.#counts.length + 1;
    let given = 0;
    for (let second = Math.max(oldest, Math.floor(fromMs / 1000)); second <= this.#second; second++) {
      const until = Math.min((second + 1) * 1000, toMs) - fromMs;
      const due = second === this.#second || span === 0 ? amount : Math.round((amount * until) / span);
      const at = second % this.#counts.length;
      this.#counts[at] = this.#counts[at]! + due - given;
      given = due;
    }
  }

  /** Of the whole seconds before `nowMs`, oldest first. */
  values(nowMs: number): number[] {
    this.#advance(nowMs);
    const { length } = this.#counts;
    return Array.from({ length: length - 1 }, (_, index) => this.#counts[(this.#second + 1 + index) % length]!);
  }

  /** Mean of the whole seconds before `nowMs`. */
  mean(nowMs: number): number {
    const values = this.values(nowMs);
    return values.reduce((sum, value) => sum + value, 0) / values.length;
  }

  /** Ignores a clock that was set back. */
  #advance(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    const passed = second - this.#second;
    if (passed <= 0) return;
    if (passed >= this.#counts.length) this.#counts.fill(0);
    else for (let step = 1; step <= passed; step++) this.#counts[(this.#second + step) % this.#counts.length] = 0;
    this.#second = second;
  }
}
