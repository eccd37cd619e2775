/** The consumers of a snapshot: what is declared, with what each one did. */
import type { ConsumerEntry } from '../../bundle/types.js';
import {
  type CallerSnapshot,
  CONSUMERS_SHOWN,
  type ConsumerSnapshot,
  type ConsumersSnapshot,
  CREDENTIALS_SHOWN,
} from '../../telemetry/snapshot.js';
import type { Caller, Callers } from '../callers.js';

/** All consumers, looked up by name, or in order. */
export interface DeclaredConsumers extends Iterable<ConsumerEntry> {
  readonly size: number;
  byName(name: string): ConsumerEntry | undefined;
}

export class ConsumerStats {
  readonly #callers: Callers;

  constructor(callers: Callers) {
    this.#callers = callers;
  }

  /** `now`: milliseconds since 1970. */
  snapshot(declared: DeclaredConsumers, now: number): ConsumersSnapshot {
    const shown = new Map<string, ConsumerEntry>();
    for (const name of this.#callers.names()) {
      const entry = declared.byName(name);
      if (entry !== undefined) shown.set(name, entry);
      if (shown.size === CONSUMERS_SHOWN) break;
    }
    if (shown.size < Math.min(CONSUMERS_SHOWN, declared.size))
      for (const entry of declared) {
        shown.set(entry.name, entry);
        if (shown.size === CONSUMERS_SHOWN) break;
      }
    return {
      declared: declared.size,
      shown: [...shown.values()].map((entry) => consumerSnapshot(entry, this.#callers.of(entry.name), now)),
      unknown: callerSnapshot(this.#callers.unknown, now),
    };
  }
}

function consumerSnapshot(entry: ConsumerEntry, caller: Caller | undefined, now: number): ConsumerSnapshot {
  const { name, plan = null, groups, disabled = false, credentials } = entry;
  const shown = credentials.slice(0, CREDENTIALS_SHOWN);
  return {
    name,
    plan,
    groups,
    disabled,
    ...callerSnapshot(caller, now),
    credentials: shown.map((one) => ({
      name: one.name,
      kind: one.kind,
      expires: one.expires ?? null,
      disabled: one.disabled ?? false,
    })),
  };
}

const callerSnapshot = (caller: Caller | undefined, now: number): CallerSnapshot => ({
  requests: caller?.requests ?? 0,
  requestsPerSecond: caller?.rate(now) ?? 0,
  refused: { ...caller?.refused },
  lastSeen: caller === undefined || caller.requests === 0 ? null : caller.lastSeen,
});
