/** Which endpoints a service has, as control sends it to each data plane. Plain data. */
import { resolvedText } from '../../bundle/references.js';
import type { ServiceEntry } from '../../bundle/types.js';

/** One place that requests of a service are sent to. What identifies it is its URL with its address. */
export interface Endpoint {
  /** `http` or `https`, host, port and optionally a base path. */
  readonly url: string;
  /** The IP address to connect to, one of the host's. Absent: the host is looked up when a connection opens. */
  readonly address?: string;
  /** Share of the traffic, relative to the other endpoints of its priority. */
  readonly weight: number;
  /** Absent: none. */
  readonly zone?: string;
  /** Endpoints with a higher number are used when those with a lower one cannot be. Absent: 0. */
  readonly priority?: number;
  /** Its counter slot. */
  readonly slot: number;
  /** Active checks find it unhealthy. */
  readonly down?: true;
}

export interface ServiceEndpoints {
  readonly service: string;
  /** Grows with each change of any service. */
  readonly version: number;
  readonly endpoints: readonly Endpoint[];
  /** Why there are none, for the log. */
  readonly cause?: string;
  /** Milliseconds since 1970: there are none before that, so requests do not wait for one. */
  readonly retryAt?: number;
}

/** A change of the endpoints of some services. */
export interface TargetsUpdate {
  readonly services: readonly ServiceEndpoints[];
  /** The counter memory of the worker, with room for the slots of new endpoints. */
  readonly chunks: readonly SharedArrayBuffer[];
}

/** The endpoints of a service as its program names them, before anything else is known. `slots`: by target index. */
export function programEndpoints(
  { name, targets }: ServiceEntry,
  slots: readonly number[] | undefined,
  unmatched: number,
): ServiceEndpoints {
  const endpoints = targets.map((target, at) => ({
    ...target,
    url: resolvedText(target.url),
    slot: slots?.[at] ?? unmatched,
  }));
  return { service: name, version: 0, endpoints };
}
