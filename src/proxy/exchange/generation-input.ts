/** The input of a generation, as control sends it to each data plane. Plain data. */

import type { CodeTexts, Json, Program } from '../../bundle/types.js';
import type { ConsumerMemory } from '../../state/consumers/layers.js';
import type { OutcomesOnDisk } from '../../state/outcomes/gateway.js';
import type { SlotAssignment } from '../../telemetry/stats/registry.js';
import type { ServiceEndpoints } from '../upstream/endpoints.js';

export interface GenerationInput {
  /** One more for each load. */
  readonly id: number;
  readonly sha256: string;
  /** With resolved references, and the targets of managed services. */
  readonly program: Program;
  /** The consumers (state/consumers/), in place of those in the program. Absent: those of the program. */
  readonly consumers?: ConsumerMemory;
  readonly trie: SharedArrayBuffer | ArrayBuffer;
  readonly stats: StatsSlots;
  /** The endpoints that each service has now. Absent, as a service in it: the targets of the program. */
  readonly endpoints?: ReadonlyMap<string, ServiceEndpoints>;
  /** The code of custom policies and actions; absent: none. */
  readonly code?: CodeTexts;
  /** The numbers of custom steps, by name of the policy or action (state/step-cell.ts). */
  readonly steps?: ReadonlyMap<string, number>;
  /**
   * What duties have published, by identity of the policy. Control keeps it current, so that a replacement of a worker gets
   * the last values.
   */
  readonly published?: ReadonlyMap<string, Json>;
  /**
   * Shared memory of contents with bodies (state/content/memory/), the same in each load. Absent: the data plane allocates its
   * own.
   */
  readonly contents?: SharedArrayBuffer;
  /** Outcomes on disk; absent: gw has no folder. */
  readonly outcomes?: OutcomesOnDisk | undefined;
  /** Bind new listeners with SO_REUSEPORT, since other workers bind the same addresses. */
  readonly sharePorts?: boolean;
}

/** The counter slots of each entity, and the chunks of this worker that contain them. */
export interface StatsSlots extends SlotAssignment {
  readonly chunks: readonly SharedArrayBuffer[];
}
