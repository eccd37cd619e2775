/** What an exchange is created from. */
import type { RouteEntry } from '../../bundle/types.js';
import type { RequestFields } from '../http/fields.js';
import type { CollectBudget } from './body/collector.js';

/** The dependencies of an exchange. */
export interface ExchangeHost {
  newId(): string;
  /** Milliseconds since 1970. */
  now(): number;
  /** Monotonic milliseconds. */
  monotonic(): number;
  /** Memory for the bodies that policies collect. */
  readonly collectBudget: CollectBudget;
}

/** A request as its codec describes it. An exchange copies the parts that it keeps, so the object can be reused. */
export interface RequestDescription {
  readonly method: string;
  /** Lower case, without port; '' if unknown. */
  readonly host: string;
  /** Host, with its port if one was sent. */
  readonly authority: string;
  /** As sent, not normalized; `*` for a request about the whole server. */
  readonly path: string;
  /** Without `?`. */
  readonly query: string;
  /** Sent with `?` and an empty query. */
  readonly bareQuery: boolean;
  /** 0 for HTTP/1.0, whose clients read neither informational replies nor chunks; 1 for later versions. */
  readonly minor: number;
  /** Bits of Seen: which fields there are. TransferEncoding: there is a body of unknown length. */
  readonly seen: number;
  /** -1 if not declared. */
  readonly contentLength: number;
  /** The fields, for one exchange. */
  fields(): RequestFields;
}

/** The route of an exchange that matched no route; policies never see it. */
export const NO_ROUTE_ENTRY: RouteEntry = {
  name: '-',
  match: '-',
  action: { use: '-', summary: '', settings: null },
  service: -1,
  policies: [],
  params: [],
  timeout: 60_000,
  source: { from: 'default' },
};
