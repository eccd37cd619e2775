/** The client's side of a WebSocket in an HTTP/2 stream, RFC 8441: its DATA frames carry what TCP carries otherwise. */
import type { OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { TunnelEnd } from '../../exchange/downstream.js';

/** What a tunnel reports to its stream. */
export interface StreamTunnelHost {
  /** Payload of the client has left the buffer of the stream. */
  consumed(): void;
  /** The client sends no more. */
  inputEnded(): void;
  /** An unexpected exception. */
  broke(error: unknown): void;
}

export class StreamTunnel {
  /** Bytes from the client. */
  received = 0;
  readonly #end: TunnelEnd;
  readonly #stream: ServerHttp2Stream;
  readonly #host: StreamTunnelHost;

  constructor(end: TunnelEnd, stream: ServerHttp2Stream, host: StreamTunnelHost) {
    this.#end = end;
    this.#stream = stream;
    this.#host = host;
  }

  /** Reads from now on. */
  start(): void {
    const stream = this.#stream;
    stream.on('end', () => {
      this.#host.inputEnded();
      this.#try(() => this.#end.clientEnded());
    });
    stream.on('data', (chunk: Buffer) =>
      this.#try(() => {
        this.received += chunk.length;
        if (!this.#end.fromClient(chunk)) stream.pause();
        this.#host.consumed();
      }),
    );
  }

  #try(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#host.broke(error);
    }
  }

  /** `written` is called when the client's windows have let the bytes through. */
  write(bytes: Buffer, written: () => void): void {
    if (this.#stream.writableEnded || this.#stream.destroyed) written();
    else this.#stream.write(bytes, written);
  }

  wantsMore(): void {
    this.#stream.resume();
  }

  /** The target sends no more: END_STREAM, as TCP has its FIN (RFC 8441 section 5). */
  halfEnd(): void {
    if (!this.#stream.writableEnded && !this.#stream.destroyed) this.#stream.end();
  }

  retire(): void {
    this.#end.retire();
  }
}

/**
 * The fields of a reply to a request for a WebSocket: 200 in place of 101 (RFC 8441 section 5). Any other success would look like it,
 * although nothing was switched: the client gets 502.
 */
export function tunnelReply(fields: OutgoingHttpHeaders, status: number): OutgoingHttpHeaders {
  if (status === 101) {
    const { 'sec-websocket-accept': _of11, ...rest } = fields;
    return { ...rest, ':status': 200 };
  }
  return status < 300 ? { ...fields, ':status': 502 } : fields;
}

/** What a stream does with its tunnel and nothing else. */
export abstract class TunnelSide {
  /** Undefined before a 101. */
  protected opened: StreamTunnel | undefined = undefined;

  tunnelWantsMore(): void {
    this.opened?.wantsMore();
  }

  tunnelHalfEnded(): void {
    this.opened?.halfEnd();
  }

  /** The connection is to close. */
  retire(): void {
    this.opened?.retire();
  }

  get isTunnel(): boolean {
    return this.opened !== undefined;
  }
}
