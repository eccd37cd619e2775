/** The settings of a listener in one generation. */
import { resolvedText } from '../../bundle/references.js';
import type { ListenerEntry } from '../../bundle/types.js';
import { TrustedProxies } from '../exchange/peer.js';
import type { Protocol } from './connection/client-connection.js';
import { protocolsOf } from './protocols.js';
import { withTexts } from './tls/options.js';

/** Validated before anything changes. */
export interface ListenerSettings {
  readonly entry: ListenerEntry;
  readonly address: string;
  readonly proxies: TrustedProxies;
  /** What it speaks, in order of preference. */
  readonly protocols: readonly Protocol[];
  /** The release of Node, which decides whether HTTP/2 is on. */
  readonly node: string;
  /** Of its counters. */
  readonly slot: number;
}

/** Reads certificates and addresses. Throws if one is missing or malformed. */
export function listenerSettings(given: ListenerEntry, slot: number, node: string): ListenerSettings {
  const entry = given.tls === undefined ? given : { ...given, tls: withTexts(given.tls) };
  return {
    entry,
    address: resolvedText(entry.address),
    proxies: new TrustedProxies(entry.trustedProxies),
    protocols: protocolsOf(entry, node),
    node,
    slot,
  };
}
