/** How the body of a reply is read. */
import { isUtf8 } from 'node:buffer';
import { matchesMediaRange, mediaType } from '../kits/negotiate.js';

/** `guess`: a body without a media type, or with several, which is JSON if it can be read as that. */
export type BodyKind = 'json' | 'lines' | 'events' | 'text' | 'guess';

const MEDIA_TYPE = /^[^\s/,;]+\/[^\s/,;]+$/;
const JSON_TYPE = /^(application\/json|text\/json|[^/]+\/[^/]+\+json)$/;
/** JSON in lines, and JSON text sequences (RFC 7464). */
const LINES_TYPE = /^application\/(x-ndjson|ndjson|jsonl|x-jsonl|jsonlines|x-jsonlines|json-seq)$/;

/** `textTypes`: media ranges of texts that are read. Undefined: the body is not read. */
export function bodyKind(contentType: string | undefined, textTypes: readonly string[]): BodyKind | undefined {
  const type = mediaType(contentType);
  // Clients may take a malformed type for any other one.
  if (!MEDIA_TYPE.test(type)) return 'guess';
  if (JSON_TYPE.test(type)) return 'json';
  if (LINES_TYPE.test(type)) return 'lines';
  if (type === 'text/event-stream') return 'events';
  return textTypes.some((range) => matchesMediaRange(type, range)) ? 'text' : undefined;
}

const CHARSET = /;\s*charset\s*=\s*"?([^\s";]+)/i;

/** The charset that a media type names, in lower case. */
const charsetOf = (contentType: string | undefined): string | undefined =>
  CHARSET.exec(contentType ?? '')?.[1]?.toLowerCase();

/** Whether the media type names no other charset than that of JSON, RFC 8259 section 8.1. */
export const saysUtf8 = (contentType: string | undefined): boolean =>
  contentType?.includes(';') !== true || /^(utf-?8|us-ascii)$/.test(charsetOf(contentType) ?? 'utf-8');

/** Charsets in which each byte is the character of that number, as far as patterns look at them. */
const BYTES = /^(iso-?8859-1|latin1|windows-1252|us-ascii)$/;

export type TextEncoding = 'utf8' | 'latin1';

/** How a text is decoded; undefined for a charset that is not known. */
export function encodingOf(contentType: string | undefined, bytes: Uint8Array): TextEncoding | undefined {
  const charset = charsetOf(contentType);
  if (charset !== undefined && BYTES.test(charset)) return 'latin1';
  if (charset !== undefined && !/^utf-?8$/.test(charset)) return undefined;
  return isUtf8(bytes) ? 'utf8' : 'latin1';
}
