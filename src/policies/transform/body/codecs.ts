/** Reads and writes documents in their formats. */
import { type JsonValue, readJsonText, writeJsonText } from '../../kits/json-text/index.js';
import { BodyFault } from './edits.js';
import type { Format } from './media.js';

export interface Codec {
  /** Throws BodyFault for a body that is not valid. */
  read(bytes: Uint8Array): JsonValue;
  /** Throws BodyFault for a value that the format cannot express. */
  write(value: JsonValue): string;
}

/** `max`: bytes of a document. */
export function codecOf(_format: Format, max: number): Codec {
  return new JsonCodec(max);
}

class JsonCodec implements Codec {
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  read(bytes: Uint8Array): JsonValue {
    const read = readJsonText(bytes, { bytes: this.#max });
    if (read.fault === undefined) return read.value;
    throw new BodyFault(`the body is not valid JSON (${read.fault.kind})`, read.fault.detail);
  }

  write(value: JsonValue): string {
    return writeJsonText(value);
  }
}
