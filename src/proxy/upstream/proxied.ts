/** The PROXY header of connections to targets: such a connection belongs to one client address. */
import { isIP } from 'node:net';
import type { ServiceEntry } from '../../bundle/types.js';
import { proxyHeader } from '../proxy-protocol/write.js';

interface ProxiedTarget {
  readonly host: string;
  readonly address: string | undefined;
  readonly port: number;
  readonly settings: Pick<ServiceEntry, 'proxyProtocol'>;
}

/** Whose exchanges a connection for this client takes; '': those of all, because the service sends no header. */
export const ownerOf = ({ proxyProtocol }: ProxiedTarget['settings'], client: string | undefined): string =>
  proxyProtocol === undefined ? '' : (client ?? '');

/**
 * The header for a client's address; '' for a connection of gw itself. Undefined: the service sends none. The client's port is not
 * known here; the destination is that of the target.
 */
export function headerFor(target: ProxiedTarget, client: string | undefined): Buffer | undefined {
  const { proxyProtocol } = target.settings;
  if (proxyProtocol === undefined) return undefined;
  const source = client ?? '';
  const own = target.address ?? target.host;
  const any = isIP(source) === 6 ? '::' : '0.0.0.0';
  const destination = isIP(own) !== 0 && isIP(own) === isIP(source) ? own : any;
  return proxyHeader(proxyProtocol, { source, sourcePort: 0, destination, destinationPort: target.port });
}
