/** What the policies of a program have in the memory of contents. */
import type { Program } from '../../bundle/types.js';
import type { BreakerTable } from '../../state/breaker/table.js';
import type { DiskStats } from '../../state/content/disk/memory.js';
import type { ContentHealth, ContentStats } from '../../state/content/memory/index.js';
import type { HoldTable } from '../../state/hold-table.js';
import type { ContentsSnapshot, PolicyContents } from '../../telemetry/snapshot.js';
import type { HealthChecks } from '../health/checks.js';
import { stateIdentityOf } from './limit-policies.js';

/** The tables of a data plane that are read here. */
export interface PlaneTables {
  readonly holds: HoldTable;
  readonly breakers: BreakerTable;
  readonly checks: Pick<HealthChecks, 'of'>;
  /** Undefined before the first load. */
  contentsOf(program: Program): ContentsSnapshot | undefined;
}

/** `disk`: told once a store has been open. `health`: of the memory that evicts. `kept`: of the one whose contents stay until they expire. */
export function contentsOf(
  program: Program,
  health: ContentHealth,
  kept: ContentHealth,
  disk: DiskStats,
): ContentsSnapshot {
  const found = new Map<string, ContentStats>();
  // A policy uses one of the two.
  for (const stats of [...kept.identities, ...health.identities]) found.set(stats.identity, stats);
  const policies = program.policies.flatMap((policy): PolicyContents[] => {
    const stats = found.get(stateIdentityOf(policy));
    if (stats === undefined) return [];
    const { identity: _, ...counts } = stats;
    return [{ policy: policy.name, ...counts }];
  });
  const { bytes, freeBytes } = health;
  return { bytes, freeBytes, policies, ...(disk.limitBytes > 0 ? { disk } : {}) };
}
