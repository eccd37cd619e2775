/** What the engine needs of the connection (or stream) that an exchange came by. */
import type { Reply } from '../policies/contract.js';
import type { ErrorSlug } from './errors.js';
import type { GwExchange } from './exchange.js';
import type { Relay } from './relay.js';

export interface Downstream {
  /** Sends a reply: its head and, unless a relay brings it, its body. */
  send(exchange: GwExchange, reply: Reply): void;
  /** An informational head, `HTTP/1.1 103 ...` with its fields and the empty line; left out where the client can't read it. */
  interim(text: string): void;
  /** The relay takes the request's body now: what is here goes to it at once, the rest as it comes. */
  pull(relay: Relay): void;
  /** Payload of the reply's body, valid until this returns; false when the client must first read. */
  body(buffer: Buffer, start: number, end: number, last: boolean): boolean;
  /** The reply cannot be completed: the client must see that it was cut. */
  cut(error: ErrorSlug): void;
}
