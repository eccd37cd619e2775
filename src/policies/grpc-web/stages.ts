/** The stages of grpc-web: a request's base64 to bytes, and a reply with its trailers as a frame. */
import type { BodyStage, HeaderFields, Reply, StageOut } from '../contract.js';
import { Base64Decoder, Base64Encoder } from './base64.js';
import { FrameReader, trailerFrame } from './frames.js';

export class RequestStage implements BodyStage {
  readonly #out: StageOut;
  readonly #refusal: () => Reply;
  readonly #decoder = new Base64Decoder();

  /** `refusal`: the reply if the body is not base64. */
  constructor(out: StageOut, refusal: () => Reply) {
    this.#out = out;
    this.#refusal = refusal;
  }

  write(text: Uint8Array): boolean {
    const bytes = this.#decoder.decode(text);
    if (bytes === undefined) this.#refuse('not base64');
    return bytes === undefined || bytes.length === 0 || this.#out.write(bytes);
  }

  end(trailers: HeaderFields | undefined): void {
    if (this.#decoder.complete) this.#out.end(trailers);
    else this.#refuse('the body ends within four characters of base64');
  }

  #refuse(cause: string): void {
    this.#out.refuse(cause, this.#refusal());
  }

  abort(): void {}
}

export interface ReplyStageOptions {
  readonly text: boolean;
  /** The head of the reply has a grpc-status. */
  readonly hasStatus: boolean;
}

export class ReplyStage implements BodyStage {
  readonly #out: StageOut;
  readonly #hasStatus: boolean;
  readonly #frames = new FrameReader();
  readonly #encoder: Base64Encoder | undefined;

  constructor(out: StageOut, { text, hasStatus }: ReplyStageOptions) {
    this.#out = out;
    this.#hasStatus = hasStatus;
    this.#encoder = text ? new Base64Encoder() : undefined;
  }

  write(bytes: Uint8Array): boolean {
    let text = '';
    for (let at = 0; at < bytes.length; ) {
      const end = this.#frames.next(bytes, at);
      if (end < 0) {
        this.#out.refuse('the body of the reply is not gRPC');
        return true;
      }
      if (this.#encoder !== undefined) text += this.#encoder.encode(bytes.subarray(at, end), this.#frames.between);
      at = end;
    }
    if (this.#encoder === undefined) return this.#out.write(bytes);
    return text === '' || this.#out.write(Buffer.from(text, 'latin1'));
  }

  /** The trailers of the reply are in its body from here on. */
  end(trailers: HeaderFields | undefined): void {
    if (!this.#frames.between) {
      this.#out.refuse('the body of the reply ends within a message');
      return;
    }
    if (trailers !== undefined || !this.#hasStatus) {
      const frame = trailerFrame(trailers);
      if (frame === undefined) {
        this.#out.refuse('the trailers of the reply are too long');
        return;
      }
      this.#out.write(this.#encoder === undefined ? frame : Buffer.from(this.#encoder.encode(frame, true), 'latin1'));
    }
    this.#out.end();
  }

  abort(): void {}
}
