/** Reads the header of the PROXY protocol, versions 1 and 2, from the begin of a connection. */
import { isIP } from 'node:net';

/** The longest header that is read: version 2 allows 64 KiB, of which addresses take 216 and the rest is TLVs. */
export const MAX_PROXY_HEADER: number = 4096;

/** The longest line of version 1, with its CRLF. */
const MAX_LINE = 107;
const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const PROXY = Buffer.from('PROXY ', 'latin1');

/** A whole header. */
export interface ProxyHeader {
  /** Length in bytes. */
  readonly length: number;
  /** Address of the client as the header has it; undefined: those of the connection count (LOCAL, UNKNOWN, unix sockets). */
  readonly source: string | undefined;
}

/** The header, or how many bytes must be there for another look, or what is wrong. */
export type ProxyRead = ProxyHeader | number | string;

/** Reads a header at the begin of `bytes`, which may be incomplete. */
export function readProxyHeader(bytes: Buffer): ProxyRead {
  if (startsLike(bytes, SIGNATURE)) return bytes.length < 16 ? 16 : readBinary(bytes);
  if (startsLike(bytes, PROXY)) return readLine(bytes);
  return 'no PROXY header';
}

/** Whether the bytes begin with `prefix`, as far as they are here. */
function startsLike(bytes: Buffer, prefix: Buffer): boolean {
  const length = Math.min(bytes.length, prefix.length);
  return bytes.compare(prefix, 0, length, 0, length) === 0;
}

function readBinary(bytes: Buffer): ProxyRead {
  const command = bytes[12]!;
  const family = bytes[13]!;
  const length = 16 + bytes.readUInt16BE(14);
  if (command >> 4 !== 2) return 'PROXY header of an unknown version';
  if ((command & 0x0f) > 1) return 'PROXY header with an unknown command';
  if (length > MAX_PROXY_HEADER) return `PROXY header longer than ${MAX_PROXY_HEADER} bytes`;
  if (bytes.length < length) return length;
  // LOCAL: the proxy's own connection, for example a health check.
  if ((command & 0x0f) === 0) return { length, source: undefined };
  // The lower half is the transport: STREAM is the only one that fits a connection, UNSPEC is for those that are not IP.
  if (family === 0x11) return length < 28 ? SHORT : { length, source: bytes.subarray(16, 20).join('.') };
  if (family === 0x21) return length < 52 ? SHORT : { length, source: ipv6At(bytes, 16) };
  if (family === 0x00 || family === 0x31) return { length, source: undefined };
  return 'PROXY header with an unknown family';
}

const SHORT = 'PROXY header without room for its addresses';

function ipv6At(bytes: Buffer, at: number): string {
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(bytes.readUInt16BE(at + i).toString(16));
  return groups.join(':');
}

function readLine(bytes: Buffer): ProxyRead {
  const end = bytes.subarray(0, MAX_LINE).indexOf('\r\n', 0, 'latin1');
  if (end < 0) return bytes.length >= MAX_LINE ? 'PROXY line longer than 107 bytes' : bytes.length + 1;
  const line = bytes.toString('latin1', 0, end);
  const length = end + 2;
  if (/^PROXY UNKNOWN(?: |$)/.test(line)) return { length, source: undefined };
  const [, version, source = '', destination = '', from, to] =
    /^PROXY TCP([46]) ([^ ]+) ([^ ]+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})$/.exec(line) ?? [];
  const family = Number(version);
  const addresses = isIP(source) === family && isIP(destination) === family && !line.includes('%');
  if (!addresses || Number(from) > 65_535 || Number(to) > 65_535) return 'invalid PROXY line';
  return { length, source };
}
