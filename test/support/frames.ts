/** Frames of WebSocket for tests, also invalid ones. */

export interface FrameOptions {
  readonly masked?: boolean;
  readonly final?: boolean;
  /** The three reserved bits. */
  readonly rsv?: number;
}

/** A frame as a client sends it, unless `masked` is false. */
export function frame(opcode: number, payload: string | Buffer, options: FrameOptions = {}): Buffer {
  const { masked = true, final = true, rsv = 0 } = options;
  const bytes = Buffer.from(payload);
  const { length } = bytes;
  const size = length < 126 ? length : length < 65_536 ? 126 : 127;
  const long = Buffer.alloc(size === 126 ? 2 : size === 127 ? 8 : 0);
  if (size === 126) long.writeUInt16BE(length);
  if (size === 127) long.writeBigUInt64BE(BigInt(length));
  const head = Buffer.of((final ? 0x80 : 0) | (rsv << 4) | opcode, (masked ? 0x80 : 0) | size);
  if (!masked) return Buffer.concat([head, long, bytes]);
  const mask = Buffer.of(1, 2, 3, 4);
  return Buffer.concat([head, long, mask, bytes.map((byte, at) => byte ^ mask[at % 4]!)]);
}

/** Of RFC 6455 section 1.3. */
export const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
export const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

/** A handshake of a client; `more`: further field lines. */
export const handshake = (path: string, more = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n${more}\r\n`;

/** The 101 of a target to it. */
export const switching = (more = ''): string =>
  `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${ACCEPT}\r\n${more}\r\n`;
