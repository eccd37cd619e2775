/** Masks the bodies of replies: whole ones, and one line or event after the other. */
import type { Reply } from '../contract.js';
import { JsonMask, type MemberRule, type Unreadable } from './json.js';
import { type BodyKind, encodingOf, saysUtf8 } from './media.js';
import { TextMask, type TextRule } from './texts.js';

export class DataMask {
  readonly #json: JsonMask;
  readonly #texts: TextMask | undefined;
  /** What cannot be read is passed on, with the texts in it masked. */
  readonly #lenient: boolean;

  constructor(members: readonly MemberRule[], texts: readonly TextRule[], lenient: boolean) {
    this.#json = new JsonMask(members, texts);
    this.#texts = texts.length === 0 ? undefined : new TextMask(texts);
    this.#lenient = lenient;
  }

  /** A whole body. Undefined: it stays as it is. */
  whole(kind: BodyKind, { headers }: Reply, bytes: Uint8Array): Uint8Array | Unreadable | undefined {
    const type = headers.get('content-type');
    if (bytes.length === 0) return undefined;
    if (kind === 'text') return this.#plain(type, bytes);
    const masked = saysUtf8(type) ? this.#json.mask(bytes) : { fault: 'its charset is not UTF-8' };
    if (!isUnreadable(masked) || (kind !== 'guess' && !this.#lenient)) return masked;
    return this.#plain(type, bytes);
  }

  /** A text in a charset that is known. */
  #plain(type: string | undefined, bytes: Uint8Array): Uint8Array | Unreadable | undefined {
    if (this.#texts === undefined) return undefined;
    const encoding = encodingOf(type, bytes);
    if (encoding === undefined) return this.#lenient ? undefined : { fault: 'its charset is not known' };
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(encoding);
    const masked = this.#texts.mask(text);
    return masked === undefined ? undefined : Buffer.from(masked, encoding);
  }

  /** A line of JSON. Undefined: it stays as it is. */
  line(text: string): string | Unreadable | undefined {
    const masked = this.#json.maskText(text);
    return isUnreadable(masked) && this.#lenient ? this.text(text) : masked;
  }

  /** The data of an event: JSON, or another text, such as the `[DONE]` with which some streams end. */
  data(text: string): string | Unreadable | undefined {
    const masked = this.#json.maskText(text);
    const isOther = !/^\s*[[{]/.test(text) || text.trim() === '[DONE]';
    return isUnreadable(masked) && (isOther || this.#lenient) ? this.text(text) : masked;
  }

  /** Any other text. */
  text(text: string): string | undefined {
    return this.#texts?.mask(text);
  }
}

export const isUnreadable = (result: unknown): result is Unreadable =>
  typeof result === 'object' && result !== null && 'fault' in result;
