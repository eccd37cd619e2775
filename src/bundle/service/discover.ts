/** Where the targets of a service are found while gw runs. */
import type { RefString } from '../values.js';

export const DISCOVER_KINDS = ['docker', 'consul', 'kubernetes', 'file', 'srv'] as const;
export type DiscoverKind = (typeof DISCOVER_KINDS)[number];

export interface DiscoverEntry {
  readonly kind: DiscoverKind;
  /** A label, a service, `namespace/service`, a path, a name in DNS. */
  readonly name: string;
  /** Of the targets; absent: http. */
  readonly scheme?: 'https';
  /** The name or number of a port; absent: the only one. */
  readonly port?: string;
  /** URL of the API, or `unix:/path`; absent: that of the kind. */
  readonly address?: RefString;
  readonly token?: RefString;
  /** PEM file with the authorities of the API; absent: those of the kind. */
  readonly ca?: string;
  /** Absent: any. */
  readonly tags?: readonly string[];
  readonly datacenter?: string;
  readonly network?: string;
}
