/** Addresses of listeners before they are bound: whether they are free, and which port a port 0 turned out to be. */
import { lookup } from 'node:dns/promises';
import { connect, isIP } from 'node:net';
import { splitAddress } from '../../proxy/downstream/listener.js';
import type { BoundListener, GenerationInput } from '../../proxy/types.js';
import { errnoCode } from '../../reason.js';

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
 * Resolves when each address could be bound by one socket alone. Workers share their ports, and another program of the
 * same user could share them too without any sign of it: so what is about to be shared must be free first. Nothing
 * listens meanwhile, so a client that connects is refused by the system rather than accepted and cut.
 * @throws the error of listen(2) for the first that is not, EADDRINUSE above all
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

/** The error that listen() gives for an address that is taken, or cannot be had for another reason. */
export function listenError(address: string, code = 'EADDRINUSE'): Error {
  const { host, port } = splitAddress(address);
  return Object.assign(new Error(`listen ${code}: ${address}`), { code, syscall: 'listen', address: host, port });
}

/** Errors of a connection that only begins where bind(2) has succeeded. */
const BOUND = new Set(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH']);

/**
 * Binds without listening, which Node does only for a socket that connects: this one connects to itself, and is reset at
 * once, so that no TIME_WAIT stays behind.
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
