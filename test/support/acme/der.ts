/** Writes DER (ITU-T X.690): as much as certificates need. */
import { Tag } from '../../../src/x509/der.js';

/** An element with this tag, around the bytes of its content. */
export function der(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  const { length } = body;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), body]);
  const digits = length.toString(16);
  const size = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
  return Buffer.concat([Buffer.from([tag, 0x80 | size.length]), size, body]);
}

export const sequence = (...content: readonly Uint8Array[]): Buffer => der(Tag.Sequence, ...content);
export const set = (...content: readonly Uint8Array[]): Buffer => der(Tag.Set, ...content);
export const octets = (content: Uint8Array): Buffer => der(Tag.OctetString, content);
export const bits = (content: Uint8Array): Buffer => der(Tag.BitString, Buffer.from([0]), content);
export const utf8 = (text: string): Buffer => der(Tag.Utf8String, Buffer.from(text));

/** A positive INTEGER of these bytes. */
export const integer = (bytes: Uint8Array): Buffer =>
  der(Tag.Integer, (bytes[0] ?? 0) < 0x80 ? bytes : Buffer.concat([Buffer.from([0]), bytes]));

export function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((value) => {
    const parts = [value & 0x7f];
    for (let left = value >>> 7; left > 0; left >>>= 7) parts.unshift((left & 0x7f) | 0x80);
    return parts;
  });
  return der(Tag.Oid, Buffer.from(bytes));
}

/** A GeneralizedTime, or a UTCTime before 2050 as RFC 5280 requires. `ms` since 1970. */
export function time(ms: number): Buffer {
  const text = `${new Date(ms).toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`;
  return Number(text.slice(0, 4)) < 2050
    ? der(Tag.UtcTime, Buffer.from(text.slice(2)))
    : der(Tag.GeneralizedTime, Buffer.from(text));
}

/** A name with one part, its common name. */
export const commonName = (text: string): Buffer => sequence(set(sequence(oid('2.5.4.3'), utf8(text))));

export const extension = (id: string, value: Uint8Array, critical = false): Buffer =>
  sequence(oid(id), ...(critical ? [der(Tag.Boolean, Buffer.from([0xff]))] : []), octets(value));

/** Bytes as a PEM block. */
export function pem(label: string, bytes: Uint8Array): string {
  const lines = Buffer.from(bytes)
    .toString('base64')
    .match(/.{1,64}/g);
  return `-----BEGIN ${label}-----\n${lines?.join('\n') ?? ''}\n-----END ${label}-----\n`;
}
