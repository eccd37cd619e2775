/** What the cache knows of an exchange that it did not answer at once. */
import type { Exchange, Reply } from '../contract.js';
import type { Forwarded } from '../kits/http-cache/cache-status.js';
import { type Directives, NO_DIRECTIVES } from '../kits/http-cache/directives.js';
import type { ReadField } from '../kits/http-cache/fields.js';
import type { Fill } from './fill.js';
import type { Flight } from './flight.js';
import type { Key } from './key.js';
import type { Found, Variants } from './stored.js';

export class Visit {
  readonly key: Key;
  /** The fields of the request when it entered the cache: later steps may edit them. */
  readonly request: ReadField;
  /** Those of Cache-Control. */
  directives: Directives = NO_DIRECTIVES;
  /** Requests with the same one may get the same reply, and wait for each other. */
  flightKey = '';
  /** Of the client; a validation replaces them. */
  conditions: ReadField | undefined = undefined;
  /** Why it goes to the origin. */
  forwarded: Forwarded = 'miss';
  /** When it went there, in milliseconds since 1970. */
  requestedAt = 0;
  /** The moment of the store by then. */
  moment = 0;
  /** Pinned: what is validated, or sent if the origin fails. */
  found: Found | undefined = undefined;
  /** The request was made conditional by its validators. */
  validating = false;
  variants: Variants | undefined = undefined;
  /** That which it leads. */
  flight: Flight | undefined = undefined;
  fill: Fill | undefined = undefined;
  /** The reply that `fill` is for. */
  reply: Reply | undefined = undefined;
  /** The reply is stored as it passes, or is stored now. */
  stores = false;
  /** A stage gives the body to `fill`. */
  staged = false;
  /** It is for the cache that the exchange goes on without its client. */
  prolongs = false;
  /** The exchange is over. */
  ended = false;

  constructor(key: Key, request: ReadField) {
    this.key = key;
    this.request = request;
  }

  /** The exchange goes on without its client as long as something needs its reply. */
  prolong(exchange: Exchange, needed: boolean): void {
    if (needed && !exchange.lasting) this.prolongs = true;
    if (this.prolongs) exchange.lasting = needed;
  }

  release(): void {
    this.found?.content.release();
    this.found = undefined;
  }

  /** The exchange has ended: nothing of it may stay behind. */
  end(): void {
    this.ended = true;
    this.release();
    if (this.staged) return;
    this.fill?.fail('no body');
    this.flight?.land('again');
  }
}

/** All fields of a request as they are now. */
export function snapshot(exchange: Exchange): ReadField {
  const fields = new Map<string, string>();
  for (const [name, value] of exchange.headers.entries()) {
    const present = fields.get(name);
    fields.set(name, present === undefined ? value : `${present}, ${value}`);
  }
  return (name) => fields.get(name);
}
