/** Addresses of listeners before they are bound: whether they are free, and which port a port 0 turned out to be. */
import { createServer, type Server } from 'node:net';
import { splitAddress } from '../proxy/listener.js';
import type { BoundListener, GenerationInput } from '../proxy/types.js';

/** True for an address whose port the system chooses. */
export const isAnyPort = (address: string): boolean => /:0+$/.test(address);

/** The same port of one host, or of any host and one. Sockets of both exist side by side only where they share ports. */
export function overlap(a: string, b: string): boolean {
  const [one, other] = [splitAddress(a), splitAddress(b)];
  if (one.port !== other.port) return false;
  return one.host === other.host || [one.host, other.host].some((host) => host === '' || /^[0:.]+$/.test(host));
}

/**
 * The same input on the ports that were bound: a listener on port 0 keeps, in further workers and over a replacement, the
 * port that the system once chose.
 */
export function pinAddresses(input: GenerationInput, bound: readonly BoundListener[]): GenerationInput {
  const listeners = input.program.listeners.map((listener) => {
    const address = bound.find((one) => one.name === listener.name)?.address;
    return address !== undefined && typeof listener.address === 'string' && isAnyPort(listener.address)
      ? { ...listener, address }
      : listener;
  });
  return { ...input, program: { ...input.program, listeners } };
}

/**
 * Resolves when each address could be bound by one socket alone. Workers share their ports, and a second gateway of the
 * same user could share them too without anybody noticing: so what is about to be shared must be free first.
 * @throws the error of listen(2) for the first that is not, EADDRINUSE above all
 */
export async function assertFree(addresses: readonly string[]): Promise<void> {
  const servers: Server[] = [];
  try {
    // All at once: two of them may be in each other's way.
    for (const address of addresses) servers.push(await listenAlone(address));
  } finally {
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

function listenAlone(address: string): Promise<Server> {
  const { host, port } = splitAddress(address);
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, exclusive: true, ...(host === '' ? {} : { host }) }, () => resolve(server));
  });
}

/** Reasons why several workers cannot share a port here; undefined where they can. */
export function whyNoSharing(
  { node }: { readonly node: string } = process.versions,
  platform: NodeJS.Platform = process.platform,
): string | undefined {
  const [major = 0, minor = 0] = node.split('.').map(Number);
  if (major < 22 || (major === 22 && minor < 12) || (major === 23 && minor < 1)) {
    return `they share their ports by SO_REUSEPORT, which needs Node 22.12 or later (this is ${node})`;
  }
  const sharing: readonly NodeJS.Platform[] = ['linux', 'freebsd', 'sunos', 'aix'];
  return sharing.includes(platform)
    ? undefined
    : `they share their ports by SO_REUSEPORT, which this platform (${platform}) does not have`;
}
