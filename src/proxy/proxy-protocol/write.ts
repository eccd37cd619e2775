/** Writes headers of the PROXY protocol, for connections to targets. */
import { isIP } from 'node:net';

/** A client's address and the address that it connected to. '' for an unknown one. */
export interface Ends {
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
}

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

/** A header. Addresses that are not known, or of different families, are sent as UNKNOWN (v1) or UNSPEC (v2). */
export function proxyHeader(version: 'v1' | 'v2', ends: Ends): Buffer {
  const { source, destination, sourcePort, destinationPort } = ends;
  const family = isIP(source);
  const known = family !== 0 && isIP(destination) === family;
  if (version === 'v1') {
    const text = known
      ? `PROXY TCP${family} ${source} ${destination} ${sourcePort} ${destinationPort}\r\n`
      : 'PROXY UNKNOWN\r\n';
    return Buffer.from(text, 'latin1');
  }
  // LOCAL: a connection without a client, for example a check.
  if (!known) return Buffer.concat([SIGNATURE, Buffer.of(source === '' ? 0x20 : 0x21, 0x00, 0, 0)]);
  const bytes = family === 4 ? ipv4 : ipv6;
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(sourcePort, 0);
  ports.writeUInt16BE(destinationPort, 2);
  const addresses = Buffer.concat([bytes(source), bytes(destination), ports]);
  return Buffer.concat([SIGNATURE, Buffer.of(0x21, family === 4 ? 0x11 : 0x21, 0, addresses.length), addresses]);
}

const ipv4 = (address: string): Buffer => Buffer.from(address.split('.').map(Number));

/** Of a valid address without a zone. */
function ipv6(address: string): Buffer {
  const [head = '', tail] = address.split('::');
  const before = groupsOf(head);
  const after = groupsOf(tail ?? '');
  const zeros = new Array<number>(tail === undefined ? 0 : 8 - before.length - after.length).fill(0);
  const bytes = Buffer.alloc(16);
  for (const [at, group] of [...before, ...zeros, ...after].entries()) bytes.writeUInt16BE(group, at * 2);
  return bytes;
}

/** The last group may be an IPv4 address. */
const groupsOf = (text: string): number[] =>
  (text === '' ? [] : text.split(':')).flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const four = ipv4(group);
    return [four.readUInt16BE(0), four.readUInt16BE(2)];
  });
