/** What a request head contains, as bits of one number. */
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
  /** Other X-Forwarded-* fields such as X-Forwarded-Port; X-Real-IP. */
  ForwardedOther: 16_384,
  ContentType: 32_768,
  Authorization: 65_536,
  /** Max-Forwards of TRACE or OPTIONS; it has no meaning for other methods. */
  MaxForwards: 131_072,
  /** TE: trailers. */
  Trailers: 1_048_576,
  /** Content-Type is that of gRPC: `application/grpc`, with a suffix or without. */
  Grpc: 4_194_304,
  /** A field whose name begins with Client-Cert: that or Client-Cert-Chain, RFC 9440. */
  ClientCert: 2_097_152,
  /** The target is an https URI in the absolute form. */
  SecureTarget: SECURE_TARGET,
  AbsoluteTarget: ABSOLUTE_TARGET,
} as const;

/** Fields that policies and targets may only trust if a trusted proxy sent them. */
export const FORWARDING =
  Seen.ForwardedFor | Seen.ForwardedProto | Seen.ForwardedHost | Seen.ForwardedOther | Seen.Forwarded;
