/** The messages of grpc.health.v1.Health/Check, each with the five bytes that gRPC puts before a message. */

export const CHECK_PATH = '/grpc.health.v1.Health/Check';

/** ServingStatus, by its number. */
const STATUSES = ['unknown', 'serving', 'not serving', 'unknown service'];
const SERVING = 1;

/** HealthCheckRequest: field 1 is the name of the service. */
export function checkRequest(service: string): Buffer {
  const name = Buffer.from(service, 'utf8');
  const field = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a]), varint(name.length), name]);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(field.length, 1);
  return Buffer.concat([prefix, field]);
}

/** Undefined if a HealthCheckResponse, whose field 1 is the status, says that the service is serving; else the cause. */
export function servingStatus(bytes: Buffer): string | undefined {
  if (bytes.length < 5) return 'reply without a message';
  const end = 5 + bytes.readUInt32BE(1);
  if (bytes[0] !== 0 || end !== bytes.length) return 'reply that is not one uncompressed message';
  const status = statusIn(bytes.subarray(5));
  if (status === undefined) return 'reply that is not a HealthCheckResponse';
  return status === SERVING ? undefined : (STATUSES[status] ?? `status ${status}`);
}

/** The last field 1 of a message; 0 without one. Other fields are skipped. Undefined if the bytes are not a message. */
function statusIn(message: Buffer): number | undefined {
  let status = 0;
  for (let at = 0; at < message.length; ) {
    const tag = readVarint(message, at);
    if (tag === undefined) return undefined;
    at = tag.end;
    const kind = tag.value & 7;
    if (kind === 0) {
      const value = readVarint(message, at);
      if (value === undefined) return undefined;
      at = value.end;
      if (tag.value >>> 3 === 1) status = value.value;
    } else if (kind === 2) {
      const length = readVarint(message, at);
      if (length === undefined) return undefined;
      at = length.end + length.value;
    } else if (kind === 1 || kind === 5) at += kind === 1 ? 8 : 4;
    else return undefined;
    if (at > message.length) return undefined;
  }
  return status;
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** Of at most 32 bits. */
function readVarint(bytes: Buffer, from: number): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  for (let at = from, shift = 0; at < bytes.length && shift < 35; at++, shift += 7) {
    value |= (bytes[at]! & 0x7f) << shift;
    if (bytes[at]! < 0x80) return { value: value >>> 0, end: at + 1 };
  }
  return undefined;
}
