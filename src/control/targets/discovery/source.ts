/** What a source of targets is, and what it uses of gw. One file for each kind implements it. */
import type { DiscoverEntry } from '../../../bundle/service/discover.js';
import type { Lookups } from '../names/lookups.js';
import type { FoundTarget } from './check.js';

export interface TargetSource {
  /**
   * Asks the source once, or follows it while it says what changes, and tells the host what it says. Resolves with the
   * milliseconds until the next run; rejects if the source cannot be asked, with the cause as its message.
   */
  run(): Promise<number>;
}

export interface SourceHost {
  /** Aborted when no service has the source any more. */
  readonly signal: AbortSignal;
  readonly lookups: Lookups;
  readonly env: { readonly [name: string]: string | undefined };
  /** The folder of the spec. */
  readonly root: string;
  /** Milliseconds between two questions to a source that does not say when it changes. */
  readonly refresh: number;
  /** All targets, from now on. What is not valid is left out. */
  supply(found: readonly FoundTarget[]): void;
}

export type CreateSource = (entry: DiscoverEntry, host: SourceHost) => TargetSource;

/** For the log and the cause of a service without targets: `consul:orders`. */
export const sourceText = ({ kind, name }: DiscoverEntry): string => `${kind}:${name}`;
