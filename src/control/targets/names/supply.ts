/** What names the targets of a service: the spec, a discovery source, gw's own processes. */
import type { ServiceEntry } from '../../../bundle/types.js';
import { plain } from '../../references/pems.js';

/** A target as its source names it. */
export interface SuppliedTarget {
  readonly url: string;
  readonly weight: number;
  readonly zone?: string;
  readonly priority?: number;
}

/** All targets that a source names now. */
export interface Supply {
  readonly targets: readonly SuppliedTarget[];
  /** Why there are none, for the log and the dashboard. */
  readonly cause?: string;
  /** Milliseconds since 1970: there will be none before. */
  readonly retryAt?: number;
  /** Which addresses the names of the targets may have. Absent: any. */
  readonly permits?: (address: string) => boolean;
}

/** The targets that the program names. */
export const programSupply = ({ targets }: ServiceEntry): Supply => ({
  targets: targets.map((target) => ({ ...target, url: plain(target.url) })),
});
