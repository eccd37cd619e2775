/** Reads and writes documents in their formats. */
import { readForm, writeForm } from '../../kits/form/index.js';
import { type JsonValue, readJsonText, writeJsonText } from '../../kits/json-text/index.js';
import { readXml, writeXml } from '../../kits/xml/index.js';
import { BodyFault } from './edits.js';
import type { Format } from './media.js';

export interface Codec {
  /** Throws BodyFault for a body that is not valid. */
  read(bytes: Uint8Array): JsonValue;
  /** Throws BodyFault for a value that the format cannot express. */
  write(value: JsonValue): string;
}

/** What the kits say about a body. */
type Read =
  | { readonly value: JsonValue; readonly fault?: undefined }
  | { readonly fault: { readonly kind: string; readonly detail: string } };

const NAMES: { readonly [format in Format]: string } = { json: 'JSON', form: 'a form', xml: 'XML' };

/** `max`: bytes of a document. `arrays`: elements of XML that are lists also if they occur once. */
export function codecOf(format: Format, max: number, arrays: readonly string[] = []): Codec {
  const value = (read: Read): JsonValue => {
    const { fault } = read;
    if (fault === undefined) return read.value;
    throw new BodyFault(`the body is not valid ${NAMES[format]} (${fault.kind})`, fault.detail);
  };
  const text = (written: { readonly text: string } | { readonly error: string }): string => {
    if ('text' in written) return written.text;
    throw new BodyFault(`the result cannot be written as ${NAMES[format]}: ${written.error}`);
  };
  if (format === 'form')
    return { read: (bytes) => value(readForm(bytes, { bytes: max })), write: (made) => text(writeForm(made)) };
  if (format === 'xml')
    return {
      read: (bytes) => value(readXml(bytes, { limits: { bytes: max }, arrays })),
      write: (made) => text(writeXml(made, { declaration: true })),
    };
  return { read: (bytes) => value(readJsonText(bytes, { bytes: max })), write: writeJsonText };
}
