/** Frames of gRPC and gRPC-Web for tests. */

/** A message, or with `flags` 0x80 trailers. */
export function grpcFrame(content: Uint8Array | string, flags = 0): Buffer {
  const bytes = Buffer.from(content as string);
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

export interface GrpcFrames {
  readonly messages: readonly string[];
  /** The text of the trailer frame; undefined for none. */
  readonly trailers: string | undefined;
}

/** The frames of a whole body. Throws if it ends within one, or goes on behind trailers. */
export function readGrpcFrames(body: Uint8Array): GrpcFrames {
  const bytes = Buffer.from(body);
  const messages: string[] = [];
  let trailers: string | undefined;
  for (let at = 0; at < bytes.length; ) {
    if (trailers !== undefined) throw new Error('bytes behind the trailers');
    const end = at + 5 + bytes.readUInt32BE(at + 1);
    if (end > bytes.length) throw new Error('the body ends within a frame');
    const content = bytes.toString('latin1', at + 5, end);
    if (bytes[at] === 0x80) trailers = content;
    else messages.push(content);
    at = end;
  }
  return { messages, trailers };
}

/** Decodes base64 that may be padded between groups of four characters. Throws for an incomplete group. */
export function fromBase64(text: string): Buffer {
  if (text.length % 4 !== 0) throw new Error('incomplete base64');
  return Buffer.concat((text.match(/.{4}/gs) ?? []).map((group) => Buffer.from(group, 'base64')));
}
