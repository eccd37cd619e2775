/** Close frames of WebSocket: RFC 6455 sections 5.5.1 and 7.4. */
import { randomBytes } from 'node:crypto';

/** The status codes that gw sends or reports. */
export const CloseCode = {
  GoingAway: 1001,
  ProtocolError: 1002,
  /** Never sent: a Close frame had no code. */
  NoStatus: 1005,
  Policy: 1008,
  TooBig: 1009,
} as const;

/** A Close frame with a code and without a reason. `masked`: to a target, because only clients mask (section 5.1). */
export function closeFrame(code: number, masked: boolean): Buffer {
  const payload = Buffer.of(code >> 8, code & 0xff);
  if (!masked) return Buffer.of(0x88, 2, payload[0]!, payload[1]!);
  // Section 10.3: an unpredictable mask.
  const mask = randomBytes(4);
  return Buffer.of(0x88, 0x82, ...mask, payload[0]! ^ mask[0]!, payload[1]! ^ mask[1]!);
}
