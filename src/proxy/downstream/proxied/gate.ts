/**
 * The PROXY protocol of a listener: reads the header that its proxies send before everything else, TLS included, and hands on
 * the connection with the client's address. Only addresses of trusted_proxies may connect.
 */
import type { Socket } from 'node:net';
import type { ErrorSlug } from '../../errors/errors.js';
import { plainAddress } from '../../http/forwarded.js';
import { readProxyHeader } from '../../proxy-protocol/read.js';

export interface ProxiedHost {
  monotonic(): number;
  newId(): string;
  /** Counts and logs a refused connection. */
  refused(error: ErrorSlug, cause: string, remote: string, id: string): void;
}

export interface ProxiedOwner {
  /** Milliseconds that a header may take. */
  readonly entry: { readonly headerTimeout: number };
  /** The header has been read; what came after it is in the socket again. */
  proxied(socket: Socket, place: number, address: string): void;
  /** A socket has closed before: its place is free. */
  onLeft(place: number): void;
}

interface Waiting {
  readonly place: number;
  /** Monotonic milliseconds. */
  readonly deadline: number;
  bytes: Buffer;
  /** Bytes that must be there for another look. */
  needed: number;
}

const NONE = Buffer.alloc(0);

export class ProxiedGate {
  readonly #host: ProxiedHost;
  readonly #owner: ProxiedOwner;
  readonly #waiting = new Map<Socket, Waiting>();

  constructor(host: ProxiedHost, owner: ProxiedOwner) {
    this.#host = host;
    this.#owner = owner;
  }

  /** Connections whose header has not come. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Reads the header of an admitted socket. `trusted`: its address may send one. */
  admit(socket: Socket, place: number, trusted: boolean): void {
    const deadline = this.#host.monotonic() + this.#owner.entry.headerTimeout;
    const waiting: Waiting = { place, deadline, bytes: NONE, needed: 1 };
    this.#waiting.set(socket, waiting);
    const onError = (): void => void socket.destroy();
    const onClose = (): void => {
      if (this.#waiting.delete(socket)) this.#owner.onLeft(place);
    };
    const onEnd = (): void => void socket.destroy();
    const onReadable = (): void => {
      const bytes: Buffer | null = socket.read();
      if (bytes === null) return;
      waiting.bytes = waiting.bytes.length === 0 ? bytes : Buffer.concat([waiting.bytes, bytes]);
      const address = this.#read(socket, waiting);
      if (address === undefined) return;
      // Others handle its events from now on.
      socket.off('readable', onReadable).off('end', onEnd).off('close', onClose).off('error', onError);
      this.#waiting.delete(socket);
      this.#owner.proxied(socket, place, address);
    };
    socket.on('error', onError).on('close', onClose).on('end', onEnd);
    if (trusted) socket.on('readable', onReadable);
    else this.#refuse(socket, 'the address is none of trusted_proxies');
  }

  /** The client's address, once the header is here. */
  #read(socket: Socket, waiting: Waiting): string | undefined {
    const { bytes, needed } = waiting;
    if (bytes.length < needed) return undefined;
    const found = readProxyHeader(bytes);
    if (typeof found === 'string') {
      this.#refuse(socket, found);
      return undefined;
    }
    if (typeof found === 'number') {
      waiting.needed = found;
      return undefined;
    }
    if (found.length < bytes.length) socket.unshift(bytes.subarray(found.length));
    return plainAddress(found.source ?? socket.remoteAddress ?? '');
  }

  #refuse(socket: Socket, cause: string): void {
    const host = this.#host;
    host.refused('listener/proxy-protocol', cause, plainAddress(socket.remoteAddress ?? ''), host.newId());
    socket.destroy();
  }

  /** Ends connections whose header takes too long; called a few times a second with the monotonic time. */
  sweep(now: number): void {
    for (const [socket, { deadline, bytes }] of this.#waiting) {
      if (now < deadline) continue;
      // A connection without any byte is a check of the port.
      if (bytes.length === 0) socket.destroy();
      else this.#refuse(socket, 'PROXY header timeout');
    }
  }

  /** The listener stops: closes connections that have sent nothing. */
  closeSilent(): void {
    for (const [socket, { bytes }] of this.#waiting) if (bytes.length === 0) socket.destroy();
  }

  cut(): void {
    for (const socket of this.#waiting.keys()) socket.destroy();
  }
}
