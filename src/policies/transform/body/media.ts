/** Media types of bodies: how they are read, and what they are called when they are written. */
import { mediaType } from '../../kits/negotiate.js';

/** What a document is written in. */
export type Format = 'json' | 'form' | 'xml';
/** `lines`: JSON in lines; `events`: server-sent events with JSON. */
export type BodyKind = Format | 'lines' | 'events';

const KINDS: readonly (readonly [BodyKind, RegExp])[] = [
  ['json', /^(application\/json|text\/json|[^/]+\/[^/]+\+json)$/],
  ['lines', /^application\/(x-ndjson|ndjson|jsonl|x-jsonl|jsonlines|x-jsonlines)$/],
  ['events', /^text\/event-stream$/],
  ['form', /^application\/x-www-form-urlencoded$/],
  ['xml', /^(application\/xml|text\/xml|[^/]+\/[^/]+\+xml)$/],
];

/**
 * What a Content-Type names. Of several, each one: which of them a receiver takes is not known, so a body must not pass because it has a
 * second one.
 */
export function bodyKinds(contentType: string | undefined): readonly BodyKind[] {
  const types = contentType?.includes(',') === true ? contentType.split(',') : [contentType];
  return types.flatMap((each) => {
    const type = mediaType(each);
    return KINDS.find(([, pattern]) => pattern.test(type))?.[0] ?? [];
  });
}

const CHARSET = /;\s*charset\s*=\s*"?([^\s";]+)/i;

/** Whether a Content-Type names no other charset than UTF-8. */
export const saysUtf8 = (contentType: string | undefined): boolean =>
  contentType?.includes(';') !== true || /^(utf-?8|us-ascii)$/i.test(CHARSET.exec(contentType ?? '')?.[1] ?? 'utf-8');

/** The media type of what is written. */
export const MEDIA_TYPES: { readonly [format in Format]: string } = {
  json: 'application/json',
  form: 'application/x-www-form-urlencoded',
  xml: 'application/xml; charset=utf-8',
};

/** The media types that are read, for Accept: an example of each. */
export const ACCEPTED: { readonly [format in Format]: string } = {
  json: 'application/json, application/x-ndjson',
  form: 'application/x-www-form-urlencoded',
  xml: 'application/xml',
};
