/** Addresses of listeners before they are bound: whether they are free, and the port that replaces port 0. */
import { lookup } from 'node:dns/promises';
import { connect, isIP } from 'node:net';
import { splitAddress } from '../../proxy/downstream/address.js';
import { unixPath } from '../../proxy/downstream/unix-socket.js';
import type { BoundListener, GenerationInput } from '../../proxy/types.js';
import { errnoCode } from '../../reason.js';

/** True for port 0, for which the system chooses a port. */
export const isAnyPort = (address: string): boolean => /:0+$/.test(address) && unixPath(address) === undefined;

/** Same port, and the same host or one of them any host: two sockets can have both addresses only if they share ports. */
export function overlap(a: string, b: string): boolean {
  if ([a, b].some((address) => unixPath(address) !== undefined)) return a === b;
  const [one, other] = [splitAddress(a), splitAddress(b)];
  if (one.port !== other.port) return false;
  return one.host === other.host || [one.host, other.host].some((host) => host === '' || /^[0:.]+$/.test(host));
}

/**
 * Replaces port 0 by the port that was bound: further workers and replacements bind the port that the system chose first.
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
 * Resolves when each address can be bound by a socket that does not share it. Workers share their ports, and another
 * program of the same user could join them without an error, so an address must be free before it is shared. The check
 * does not listen: the system refuses clients that connect meanwhile.
 * @throws the error of listen(2) for the first address that is not free, usually EADDRINUSE
 */
export async function assertFree(addresses: readonly string[]): Promise<void> {
  for (const [at, address] of addresses.entries()) {
    if (addresses.slice(0, at).some((other) => overlap(other, address))) throw listenError(address);
    try {
      await bindOnce(splitAddress(address));
    } catch (error) {
      const code = errnoCode(error);
      throw code === undefined ? error : listenError(address, code);
    }
  }
}

async function bindOnce({ host, port }: { readonly host: string; readonly port: number }): Promise<void> {
  if (host !== '') return bindAlone(isIP(host) ? host : (await lookup(host)).address, port);
  try {
    await bindAlone('::', port);
  } catch (error) {
    if (errnoCode(error) === 'EADDRINUSE') throw error;
    // Without IPv6, listen() takes all IPv4 addresses for an empty host.
    await bindAlone('0.0.0.0', port);
  }
}

/** The error that listen() gives for an address that cannot be bound. */
export function listenError(address: string, code = 'EADDRINUSE'): Error {
  const { host, port } = splitAddress(address);
  return Object.assign(new Error(`listen ${code}: ${address}`), { code, syscall: 'listen', address: host, port });
}

/** Errors of connect(2): bind(2) has succeeded by then. */
const BOUND = new Set(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH']);

/**
 * Binds without listening. Node does that only for a socket that connects: this one connects to itself and is reset at
 * once, so that no TIME_WAIT remains.
 */
function bindAlone(address: string, port: number): Promise<void> {
  const to = address === '::' ? '::1' : address === '0.0.0.0' ? '127.0.0.1' : address;
  return new Promise((resolve, reject) => {
    const socket = connect({ host: to, port, localAddress: address, localPort: port });
    socket.once('connect', () => socket.resetAndDestroy());
    socket.once('close', () => resolve());
    socket.once('error', (error) => {
      if (BOUND.has(errnoCode(error) ?? '')) resolve();
      else reject(error);
    });
  });
}

/** Why several workers cannot share a port here; undefined if they can. */
export function whyNoSharing(
  { node }: { readonly node: string } = process.versions,
  platform: NodeJS.Platform = process.platform,
): string | undefined {
  const [major = 0, minor = 0] = node.split('.').map(Number);
  if (major < 22 || (major === 22 && minor < 12) || (major === 23 && minor < 1)) {
    return `several workers share ports with SO_REUSEPORT, which needs Node 22.12 or later (this is ${node})`;
  }
  const sharing: readonly NodeJS.Platform[] = ['linux', 'freebsd', 'sunos', 'aix'];
  return sharing.includes(platform)
    ? undefined
    : `several workers share ports with SO_REUSEPORT, which this platform (${platform}) does not have`;
}
