/** Media types of streams. */

/** Server-sent events, and multipart documents that replace each other (cameras). */
const STREAMS = new Set(['text/event-stream', 'multipart/x-mixed-replace']);

/** Whether the Content-Type of a reply is that of a stream. */
export function isStreamType(contentType: string | undefined): boolean {
  if (contentType === undefined) return false;
  const semicolon = contentType.indexOf(';');
  const type = semicolon < 0 ? contentType : contentType.slice(0, semicolon);
  return STREAMS.has(type.trim().toLowerCase()) || isGrpcType(contentType);
}

/** Whether a Content-Type is that of gRPC in any form: its calls last as long as the two ends want. */
export const isGrpcType = (contentType: string | undefined): boolean =>
  contentType !== undefined && /^application\/grpc(?![A-Za-z0-9])/i.test(contentType);
