/** Frames of short WebSocket messages, RFC 6455 section 5.2. */

/** A final frame of a binary message, masked with the key zero; the payload has at most 125 bytes. */
export const clientFrame = (payload: Buffer): Buffer =>
  Buffer.concat([Buffer.from([0x82, 0x80 | payload.length, 0, 0, 0, 0]), payload]);

/** The same of a server. */
export const serverFrame = (payload: Buffer): Buffer => Buffer.concat([Buffer.from([0x82, payload.length]), payload]);
