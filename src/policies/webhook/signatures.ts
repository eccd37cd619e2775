/** The fields with which senders sign: found and decoded, within bounds. */
import type { Exchange } from '../contract.js';
import type { WebhookSettings } from './schema.js';

export interface Signatures {
  /** As sent; '' if the scheme has none. */
  readonly timestamp: string;
  readonly id: string;
  readonly hmacs: readonly Buffer[];
  /** Ed25519. */
  readonly signed: readonly Buffer[];
}

const MAX_FIELD = 4096;
const MAX_ID = 255;
/** Signatures of one request: a sender makes one for each secret. */
const MAX_SIGNATURES = 16;

/** Undefined if a field is missing; a phrase if one is malformed. */
export function findSignatures(settings: WebhookSettings, exchange: Exchange): Signatures | string | undefined {
  const { form, header, timestamp: timeField, id: idField, idEnd, prefix } = settings;
  const value = exchange.headers.get(header);
  const timestamp = timeField === undefined ? '' : exchange.headers.get(timeField);
  const id = idField === undefined ? '' : exchange.headers.get(idField);
  if (value === undefined || timestamp === undefined || id === undefined) return undefined;
  if (value.length > MAX_FIELD) return `the field ${header} is too long`;
  if (id.length > MAX_ID) return `the field ${idField} is too long`;
  if (idField !== undefined && !/^[\x21-\x7e]+$/.test(id)) return `the field ${idField} is malformed`;
  // With it, a part of the body could pass for the end of the id and a new time: the signed text would be the same.
  if (idEnd !== undefined && id.includes(idEnd)) return `the field ${idField} is malformed`;
  if (form === 'pairs') return pairs(settings, value);
  if (form === 'list') return list(settings, value, timestamp, id);
  const hmac = value.startsWith(prefix) ? decode(value.slice(prefix.length), settings) : undefined;
  return hmac === undefined ? `the field ${header} is malformed` : { timestamp, id, hmacs: [hmac], signed: [] };
}

/** `t=1700000000,v1=...,v1=...`; other schemes are skipped. */
function pairs(settings: WebhookSettings, value: string): Signatures | string {
  const times: string[] = [];
  const hmacs: Buffer[] = [];
  for (const item of value.split(',')) {
    const [name, text = ''] = item.trim().split(/=(.*)/s);
    if (name === 't') times.push(text);
    if (name !== 'v1') continue;
    const hmac = decode(text, settings);
    if (hmac === undefined || hmacs.length >= MAX_SIGNATURES) return `the field ${settings.header} is malformed`;
    hmacs.push(hmac);
  }
  const [timestamp, second] = times;
  if (timestamp === undefined || second !== undefined || hmacs.length === 0)
    return `the field ${settings.header} is malformed`;
  return { timestamp, id: '', hmacs, signed: [] };
}

/** `v1,BASE64 v1a,BASE64`; other versions are skipped. */
function list(settings: WebhookSettings, value: string, timestamp: string, id: string): Signatures | string {
  const hmacs: Buffer[] = [];
  const signed: Buffer[] = [];
  for (const item of value.split(' ')) {
    const [version, text = ''] = item.split(/,(.*)/s);
    if (hmacs.length + signed.length >= MAX_SIGNATURES) return `the field ${settings.header} has too many signatures`;
    const hmac = version === 'v1' ? decode(text, settings) : undefined;
    if (hmac !== undefined) hmacs.push(hmac);
    if (version === 'v1a' && /^[A-Za-z0-9+/]{86}==$/.test(text)) signed.push(Buffer.from(text, 'base64'));
  }
  return hmacs.length + signed.length === 0
    ? `the field ${settings.header} is malformed`
    : { timestamp, id, hmacs, signed };
}

const BYTES = { sha256: 32, sha512: 64 } as const;

/** An HMAC of the right length; undefined for other text. */
function decode(text: string, { algorithm, encoding }: WebhookSettings): Buffer | undefined {
  const plain = encoding === 'hex' ? /^[0-9a-fA-F]+$/ : /^[A-Za-z0-9+/]+={0,2}$/;
  if (!plain.test(text)) return undefined;
  const bytes = Buffer.from(text, encoding);
  return bytes.length === BYTES[algorithm] ? bytes : undefined;
}

/** Milliseconds since 1970; undefined for other text. Eleven digits and fewer are seconds. */
export function timeOf(text: string): number | undefined {
  if (!/^\d{1,14}$/.test(text)) return undefined;
  return Number(text) * (text.length <= 11 ? 1000 : 1);
}
