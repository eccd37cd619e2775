/** What a request's head was seen to hold: bits, so that one number answers many questions. */

import { ABSOLUTE_TARGET, SECURE_TARGET } from './request-target.js';

/** Bits of RequestHead.seen. */
export const Seen = {
  Host: 1,
  ContentLength: 2,
  TransferEncoding: 4,
  Expect: 8,
  Upgrade: 16,
  ForwardedFor: 32,
  ForwardedProto: 64,
  ForwardedHost: 128,
  RequestId: 256,
  /** Connection: close. */
  Close: 512,
  /** Connection: keep-alive, without close. */
  KeepAlive: 1024,
  /** Connection: upgrade. */
  ConnectionUpgrade: 2048,
  /** Connection lists other names. */
  Listed: 4096,
  Forwarded: 8192,
  /** X-Forwarded-Port and whatever else begins so; X-Real-IP. */
  ForwardedOther: 16_384,
  ContentType: 32_768,
  Authorization: 65_536,
  /** Max-Forwards of a TRACE or OPTIONS; of other methods it means nothing. */
  MaxForwards: 131_072,
  /** The target is an https URI in the absolute form. */
  SecureTarget: SECURE_TARGET,
  AbsoluteTarget: ABSOLUTE_TARGET,
} as const;

/** Fields that policies and targets must not believe from just anybody. */
export const FORWARDING =
  Seen.ForwardedFor | Seen.ForwardedProto | Seen.ForwardedHost | Seen.ForwardedOther | Seen.Forwarded;
