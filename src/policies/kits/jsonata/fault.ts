/** What an evaluation may use, and what ends it. */
import { shortened } from '../json.js';

export interface JsonataLimits {
  /**
   * Work of one evaluation: about one step for each node of the program that is visited, and more for functions over long
   * strings and arrays. 50,000 steps take about 25 ms.
   */
  readonly steps: number;
  /**
   * Nodes of the program that are being visited at the same time, nested or side by side: the members of an object and the
   * items of an array are evaluated side by side. A call of a function takes about five.
   */
  readonly depth: number;
  /**
   * Characters of the largest value as JSON, intermediate values and the result included; also the length of strings. At
   * least what the input may have, if a program is to pass it on.
   */
  readonly size: number;
  /** Items of the largest array, intermediate arrays included. */
  readonly items: number;
  /** Milliseconds by the clock of the host; a second bound beside the steps, for a machine that is overloaded. */
  readonly time: number;
}

export const DEFAULT_JSONATA_LIMITS: JsonataLimits = {
  steps: 50_000,
  depth: 10_000,
  size: 4 << 20,
  items: 20_000,
  time: 1000,
};

/**
 * `error`: the program failed on this input, as by a wrong type or `$error()`. The others name the limit that was reached:
 * steps, depth (nested calls or values), size (a value, an array, a string) or time.
 */
export type JsonataFaultKind = 'error' | 'steps' | 'depth' | 'size' | 'time';

const MAX_MESSAGE = 500;

/** The one thing that `evaluate` rejects with. */
export class JsonataFault extends Error {
  override readonly name = 'JsonataFault';
  readonly kind: JsonataFaultKind;
  /** Offset in the source near which it happened, if known. */
  readonly position: number | undefined;

  /** `message`: a sentence for the operator. With `$error()` it may contain values of the input, so it is not for clients. Shortened. */
  constructor(kind: JsonataFaultKind, message: string, position?: number) {
    super(shortened(message, MAX_MESSAGE));
    this.kind = kind;
    this.position = position;
  }
}
