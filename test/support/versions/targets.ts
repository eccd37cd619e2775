/** One behaviour as a target of each version of HTTP, with and without TLS, on the servers of Node. */
import { once } from 'node:events';
import { createServer as createHttp, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
  createServer as createHttp2,
  createSecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

export const TARGETS = ['http1', 'https1', 'h2c', 'h2'] as const;
export type TargetKind = (typeof TARGETS)[number];

export type TargetRequest = IncomingMessage | Http2ServerRequest;
/** What the replies of both versions have in common. */
export interface TargetReply {
  writeHead(status: number, fields?: { readonly [name: string]: string | readonly string[] }): unknown;
  write(bytes: Buffer | string): boolean;
  end(bytes?: Buffer | string): unknown;
  addTrailers(fields: { readonly [name: string]: string }): void;
  writeEarlyHints(hints: { readonly [name: string]: string }): void;
  writeContinue(): void;
  on(event: 'close', listener: () => void): unknown;
}
export type TargetAnswer = (request: TargetRequest, reply: TargetReply, target: VersionTarget) => void;

export class VersionTarget {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Connections without their TLS, by the port of the client. */
  readonly #raw = new Map<number, Socket>();
  readonly #secure: boolean;

  private constructor(kind: TargetKind, answer: TargetAnswer, tls: { cert: Buffer; key: Buffer }) {
    const handle = (request: TargetRequest, reply: ServerResponse | Http2ServerResponse): void =>
      answer(request, reply as unknown as TargetReply, this);
    this.#secure = kind === 'https1' || kind === 'h2';
    if (kind === 'http1') this.#server = createHttp(handle);
    else if (kind === 'https1') this.#server = createHttps(tls, handle);
    else this.#server = (kind === 'h2' ? createSecureServer(tls, handle) : createHttp2(handle)) as unknown as Server;
    this.#server.on('checkContinue', handle);
    for (const event of ['connection', 'secureConnection'])
      this.#server.on(event, (socket: Socket) => {
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => this.#sockets.delete(socket));
      });
    // Below TLS.
    this.#server.on('connection', (socket: Socket) => this.#raw.set(socket.remotePort!, socket));
  }

  static async start(
    kind: TargetKind,
    answer: TargetAnswer,
    tls: { cert: Buffer; key: Buffer },
  ): Promise<VersionTarget> {
    const target = new VersionTarget(kind, answer, tls);
    target.#server.listen(0, '127.0.0.1');
    await once(target.#server, 'listening');
    return target;
  }

  /** Ends an exchange without a complete reply. */
  breakOff(request: TargetRequest): void {
    if ('stream' in request) request.stream.destroy(new Error('broken off'));
    else this.#raw.get(request.socket.remotePort!)?.resetAndDestroy();
  }

  get url(): string {
    return `http${this.#secure ? 's' : ''}://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
