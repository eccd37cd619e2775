/** Settings of ejections beyond `ejectAfter` and `ejectFor`; an absent one has its default. */
export interface EjectEntry {
  /** Consecutive replies with 5xx that eject a target; absent: they do not count. */
  readonly after5xx?: number;
  /** A target whose replies take this many times as long as those of the others is ejected; absent: never. */
  readonly slowTimes?: number;
  /** Milliseconds of the longest ejection. */
  readonly forMax?: number;
  /** Percentage of the targets that may be ejected at the same time. */
  readonly share?: number;
  /** Percentage of available targets below which all are used. */
  readonly panicBelow?: number;
}
