/** A cookie that keeps the requests of a client at one target. */
import type { RefString } from '../values.js';

export interface StickyEntry {
  /** Name of the cookie. */
  readonly cookie: string;
  readonly domain?: string;
  /** What its values are signed with. */
  readonly key: RefString;
  /** Milliseconds that it is valid. Absent: until the browser closes. */
  readonly maxAge?: number;
  readonly path: string;
  readonly sameSite: 'lax' | 'strict' | 'none';
  /** Absent: if the request has come by https. */
  readonly secure?: boolean;
}
