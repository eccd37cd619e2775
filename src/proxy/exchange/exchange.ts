/** A request in flight, over the text of its head: what policies see of it, and what the engine keeps beside. */

import type { ConsumerEntry, Decision, Exchange, PolicyInstance, RouteEntry } from '../../policies/contract.js';
import { decodeQuery } from '../../policies/run-kit.js';
import { isToken, trimSpaces } from '../http/chars.js';
import type { RequestFields } from '../http/fields.js';
import { FORWARDING, Seen } from '../http/seen.js';
import type { ChainedExchange, ChainStep } from './chain.js';
import type { Downstream, ReplySource } from './downstream.js';
import { wayOf } from './forwarded-client.js';
import type { CompiledRoute, Generation } from './generation.js';
import type { Peer } from './peer.js';

/** The route of an exchange that matched none: policies never see it. */
export const NO_ROUTE_ENTRY: RouteEntry = {
  name: '-',
  match: '-',
  service: -1,
  policies: [],
  params: [],
  timeout: 60_000,
  source: { from: 'default' },
};

const MAX_GIVEN_ID = 128;
/** Protocols that carry HTTP themselves. */
const OTHER_HTTP = new Set(['h2', 'h2c', 'http', 'tls']);

/** What an exchange is given by whoever makes it. */
export interface ExchangeHost {
  newId(): string;
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds since any moment; never goes back. */
  monotonic(): number;
}

/** A request as its codec describes it. What an exchange keeps of it is copied: the object may be used again. */
export interface RequestDescription {
  readonly method: string;
  /** Lower case, without port; '' if unknown. */
  readonly host: string;
  /** Host, with its port if one was sent. */
  readonly authority: string;
  /** As sent, not normalised; `*` for a request about the server as a whole. */
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

export class GwExchange implements Exchange, ChainedExchange {
  readonly id: string;
  readonly method: string;
  readonly host: string;
  /** Host, with its port if one was sent; what X-Forwarded-Host and a preserved Host say. */
  readonly authority: string;
  /** As sent until match; then normalised. */
  path: string;
  query: string;
  /** Sent with a `?` and nothing behind it. */
  readonly bareQuery: boolean;
  readonly remoteAddress: string;
  readonly scheme: 'http' | 'https';
  /** Host that a trusted proxy was asked for, as it tells. */
  readonly forwardedHost: string | undefined = undefined;
  consumer: ConsumerEntry | undefined = undefined;
  decisions: Decision[] | undefined = undefined;
  readonly headers: RequestFields;

  /** From here on for the engine alone. */
  readonly peer: Peer;
  readonly generation: Generation;
  compiled: CompiledRoute | undefined = undefined;
  readonly minor: number;
  readonly seen: number;
  readonly contentLength: number;
  /** Monotonic milliseconds. */
  readonly startMs: number;
  /** Set when it begins. */
  downstream: Downstream | undefined = undefined;
  /** Brings the reply from the target, once it is asked. */
  source: ReplySource | undefined = undefined;
  /** Bytes that the request's body may have. */
  maxBody = 0;
  /** Monotonic milliseconds at which it must be over; 0 for none. */
  deadline = 0;
  entered = 0;
  answeredBy: ChainStep | undefined = undefined;
  /** Its reply is on the way, or it is over: what policies still answer is dropped. */
  settled = false;
  /** Its reply is out, or cut. */
  over = false;
  error: string | null = null;
  /** The cause, for the log alone; null if the error code says it all. */
  cause: string | null = null;
  target: string | null = null;
  upstreamMs: number | null = null;
  readonly #host: ExchangeHost;
  #startedAt: number | undefined = undefined;
  #params: readonly number[] | undefined = undefined;
  /** The first to note something, and what; further ones in a map. */
  #noter: PolicyInstance | undefined = undefined;
  #note: object | undefined = undefined;
  #notes: Map<PolicyInstance, object> | undefined = undefined;

  constructor(request: RequestDescription, peer: Peer, generation: Generation, host: ExchangeHost, startMs: number) {
    this.peer = peer;
    this.generation = generation;
    this.method = request.method;
    this.host = request.host;
    this.authority = request.authority;
    this.path = request.path;
    this.query = request.query;
    this.bareQuery = request.bareQuery;
    this.minor = request.minor;
    this.contentLength = request.contentLength;
    const { seen } = request;
    this.seen = seen;
    const headers = request.fields();
    this.headers = headers;
    // Host does not count beside an absolute target, RFC 9112 section 3.2.2: no policy may decide by it.
    if (seen & Seen.AbsoluteTarget) headers.showHost(request.authority);
    this.#host = host;
    this.startMs = startMs;
    if ((seen & (FORWARDING | Seen.RequestId)) === 0 || !peer.trusted) {
      if (seen & (FORWARDING | Seen.RequestId)) headers.hideForwarding();
      this.remoteAddress = peer.address;
      this.scheme = peer.scheme;
      this.id = host.newId();
    } else {
      const way = wayOf(peer, seen, (name) => headers.received(name));
      this.remoteAddress = way.client;
      this.scheme = way.scheme;
      this.forwardedHost = way.host;
      this.id = this.#givenId() ?? host.newId();
    }
  }

  /** Found when it is asked for: most exchanges are over before anybody wants to know. */
  get startedAt(): number {
    this.#startedAt ??= Math.round(this.#host.now() - (this.#host.monotonic() - this.startMs));
    return this.#startedAt;
  }

  /** Name of the listener that it came in by. */
  get listener(): string {
    return this.peer.listener.entry.name;
  }

  get route(): RouteEntry {
    return this.compiled === undefined ? NO_ROUTE_ENTRY : this.compiled.entry;
  }

  header(name: string): string | undefined {
    return this.headers.get(name);
  }

  /** Its reply is out, or cut: nothing more is wanted of the target. */
  end(): void {
    this.settled = true;
    this.over = true;
    this.source?.cancel();
  }

  note(owner: PolicyInstance, value: object): void {
    if (this.#noter === undefined || this.#noter === owner) {
      this.#noter = owner;
      this.#note = value;
    } else {
      this.#notes ??= new Map();
      this.#notes.set(owner, value);
    }
  }

  noted(owner: PolicyInstance): object | undefined {
    return this.#noter === owner ? this.#note : this.#notes?.get(owner);
  }

  remember(owner: PolicyInstance, value: object): void {
    this.peer.memory = { owner, value };
  }

  remembered(owner: PolicyInstance): object | undefined {
    const { memory } = this.peer;
    return memory !== undefined && memory.owner === owner ? memory.value : undefined;
  }

  /** Offsets into path of each parameter: start, end, start, end ... */
  setParams(offsets: readonly number[]): void {
    this.#params = offsets;
  }

  /** A path parameter as it stands in the path, still percent-encoded. */
  rawParam(name: string): string | undefined {
    const index = this.#params === undefined ? -1 : this.route.params.indexOf(name);
    return index < 0 ? undefined : this.path.slice(this.#params![index * 2], this.#params![index * 2 + 1]);
  }

  param(name: string): string | undefined {
    const raw = this.rawParam(name);
    if (raw === undefined || !raw.includes('%')) return raw;
    try {
      return decodeURIComponent(raw);
    } catch {
      return raw;
    }
  }

  queryParam(name: string): string | undefined {
    const query = this.query;
    for (let at = 0; at < query.length; ) {
      let end = query.indexOf('&', at);
      if (end < 0) end = query.length;
      let equals = query.indexOf('=', at);
      if (equals < 0 || equals > end) equals = end;
      if (decodeQuery(query.slice(at, equals)) === name) return decodeQuery(query.slice(equals + 1, end));
      at = end + 1;
    }
    return undefined;
  }

  /** Whether the client waits for `100 Continue` before it sends the body. */
  get expectsContinue(): boolean {
    return (this.seen & Seen.Expect) !== 0 && this.minor === 1 && this.hasBody;
  }

  get hasBody(): boolean {
    return this.contentLength > 0 || (this.seen & Seen.TransferEncoding) !== 0;
  }

  /**
   * Upgrades may be ignored (RFC 9110 section 7.8), and this is where. The client that makes them writes every method in
   * capitals: a `get`, which is no GET to any route, would come to the target as one.
   */
  get wantsUpgrade(): boolean {
    const both = Seen.Upgrade | Seen.ConnectionUpgrade;
    if ((this.seen & both) !== both || this.minor !== 1) return false;
    return this.method === this.method.toUpperCase() && upgradable(this.headers.received('upgrade') ?? '');
  }

  #givenId(): string | undefined {
    const id = this.seen & Seen.RequestId ? this.headers.received('x-request-id') : undefined;
    return id !== undefined && id.length <= MAX_GIVEN_ID && /^[\x21-\x7e]+$/.test(id) ? id : undefined;
  }
}

/** Whether a list of protocols is one, and none of them another version of HTTP: its requests would pass by every policy. */
function upgradable(list: string): boolean {
  let count = 0;
  for (const item of list.split(',')) {
    const protocol = trimSpaces(item);
    if (protocol === '') continue;
    const slash = protocol.indexOf('/');
    const name = slash < 0 ? protocol : protocol.slice(0, slash);
    if (!isToken(name) || (slash >= 0 && !isToken(protocol.slice(slash + 1)))) return false;
    if (OTHER_HTTP.has(name.toLowerCase())) return false;
    count++;
  }
  return count > 0;
}
