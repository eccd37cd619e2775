/** The bodies of one direction: which ones are transformed, and how. */
import type { Awaitable, Exchange, PolicyHost, Reply } from '../../contract.js';
import { mediaType } from '../../kits/negotiate.js';
import type { Links } from '../edits/links.js';
import { type Codec, codecOf } from './codecs.js';
import { BodyFault, JsonataEdit, type ValueEdit } from './edits.js';
import { ACCEPTED, type BodyKind, bodyKinds, type Format, MEDIA_TYPES, saysUtf8 } from './media.js';
import { LinkEdit, SimpleEdit, type SimpleSettings } from './members.js';

export type BodySettings = {
  readonly from: Format;
  readonly to: Format;
  /** Elements of XML that are lists also if they occur once. Absent: none. */
  readonly arrays?: readonly string[];
  /** A program. Absent: none. */
  readonly jsonata?: string;
  /** Absent: none. */
  readonly simple?: SimpleSettings;
  /** Paths of members with URLs, which are mapped like those of fields. Absent: none. */
  readonly links?: readonly string[];
  /** What becomes of a body that cannot be read or transformed. */
  readonly invalid: 'fail' | 'pass';
  /** And of one with another media type. */
  readonly other: 'fail' | 'pass';
  /** Bytes of a document, or of a line or an event. */
  readonly max: number;
};

function editsOf(
  { jsonata, simple, links, max }: BodySettings,
  onReply: boolean,
  host: PolicyHost,
  map: Links | undefined,
): readonly ValueEdit[] {
  return [
    ...(jsonata === undefined ? [] : [new JsonataEdit(jsonata, onReply, max, host)]),
    ...(simple === undefined ? [] : [new SimpleEdit(simple)]),
    ...(links === undefined || map === undefined ? [] : [new LinkEdit(links, map)]),
  ];
}

export class BodySide {
  readonly passesInvalid: boolean;
  readonly refusesOthers: boolean;
  readonly max: number;
  /** For Accept. */
  readonly accepted: string;
  readonly #from: Format;
  readonly #to: Format;
  readonly #reader: Codec;
  readonly #writer: Codec;
  readonly #edits: readonly ValueEdit[];
  readonly #onReply: boolean;
  #lastType: string | undefined;
  /** Of `#lastType`. */
  #lastKind: BodyKind | undefined;

  /** `links`: of the reply. Throws for settings that do not come from compile(). */
  constructor(settings: BodySettings, onReply: boolean, host: PolicyHost, links?: Links) {
    const { from, to, invalid, other, max } = settings;
    this.passesInvalid = invalid === 'pass';
    this.refusesOthers = other === 'fail';
    this.max = max;
    this.accepted = ACCEPTED[from];
    this.#from = from;
    this.#to = to;
    this.#reader = codecOf(from, max, settings.arrays);
    this.#writer = codecOf(to, max);
    this.#edits = editsOf(settings, onReply, host, links);
    this.#onReply = onReply;
  }

  /** How a body with this Content-Type is read; undefined if it is not for this policy. */
  kindOf(contentType: string | undefined): BodyKind | undefined {
    // Most bodies have the media type of the one before.
    if (contentType !== this.#lastType) {
      this.#lastKind = bodyKinds(contentType).find((kind) => this.#reads(kind));
      this.#lastType = contentType;
    }
    return this.#lastKind;
  }

  #reads(kind: BodyKind): boolean {
    if (kind === this.#from) return true;
    if (this.#from !== 'json' || this.#to !== 'json') return false;
    return kind === 'lines' || (kind === 'events' && this.#onReply);
  }

  /** The Content-Type of what is written; undefined if it stays. */
  get mediaType(): string | undefined {
    return this.#from === this.#to ? undefined : MEDIA_TYPES[this.#to];
  }

  /** A whole body; a fault in place of it. Undefined: it stays as it is. */
  whole(
    { kind, contentType }: { readonly kind: BodyKind; readonly contentType: string | undefined },
    bytes: Uint8Array,
    exchange: Exchange,
    reply: Reply | undefined,
  ): Awaitable<Uint8Array | BodyFault | undefined> {
    if (bytes.length === 0) return undefined;
    try {
      // XML says its encoding itself.
      if (kind !== 'xml' && !saysUtf8(contentType))
        throw new BodyFault(`the charset of ${mediaType(contentType)} is not UTF-8`, 'The body is not in UTF-8.');
      const document = this.document(bytes, exchange, reply);
      if (document instanceof Promise) return document.then((late) => this.#encoded(late)).catch(faultOf);
      return this.#encoded(document);
    } catch (error) {
      return faultOf(error);
    }
  }

  #encoded(document: string | undefined): Uint8Array {
    return Buffer.from(document ?? this.#writer.write(null));
  }

  /** The document of a body, a line or an event; undefined if the transformation has no result. Throws or rejects with a BodyFault. */
  document(bytes: Uint8Array, exchange: Exchange, reply: Reply | undefined): Awaitable<string | undefined> {
    const value = this.#reader.read(bytes);
    const edited = this.#edit(value, 0, exchange, reply);
    if (edited instanceof Promise) return edited.then((late) => this.#written(late));
    return this.#written(edited);
  }

  #edit(
    value: ReturnType<Codec['read']>,
    from: number,
    exchange: Exchange,
    reply: Reply | undefined,
  ): ReturnType<ValueEdit['apply']> {
    let current: ReturnType<Codec['read']> = value;
    for (let at = from; at < this.#edits.length; at++) {
      const edited = this.#edits[at]!.apply(current, exchange, reply);
      if (edited instanceof Promise)
        return edited.then((late) => (late === undefined ? undefined : this.#edit(late, at + 1, exchange, reply)));
      if (edited === undefined) return undefined;
      current = edited;
    }
    return current;
  }

  #written(value: ReturnType<Codec['read']> | undefined): string | undefined {
    return value === undefined ? undefined : this.#writer.write(value);
  }
}

function faultOf(error: unknown): BodyFault {
  if (error instanceof BodyFault) return error;
  throw error;
}
