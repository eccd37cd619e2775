/**
 * Exchanges inside gw: further requests of an exchange that a policy or an action sends through match and chain. Each is an
 * exchange of its own, with its line in the access log, and ends with the one that it belongs to.
 */
import type { Exchange, StreamedReply, SubRequest } from '../../../policies/contract.js';
import { timeSpan } from '../../errors/cause.js';
import { type HeadLimits, RequestHead } from '../../http/request-head.js';
import { type Attached, type Caller, callDecision } from '../../upstream/call/calls.js';
import { CallError } from '../../upstream/call/failure.js';
import { assertLine, bytesOf, endToEndLines, lengthLine } from '../../upstream/call/request.js';
import type { Downstream } from '../downstream.js';
import type { Driver } from '../driver.js';
import { GwExchange } from '../exchange.js';
import { type Peer, peerOf, TrustedProxies } from '../peer.js';
import type { InnerExchangeWorld } from '../policy-host.js';
import type { ExchangeHost } from '../request-description.js';
import { InnerStream, type InnerStreamHost } from './stream.js';

/** Further requests of one exchange, and how deep they may nest. */
export const MOST_SUBREQUESTS = 32;
export const DEEPEST = 4;
/** Exchanges inside gw of a worker at the same time. */
export const MOST_INNER = 4096;
/** Exchanges of a worker that continue in the background at the same time, and how long without a `timeout` of the route. */
export const MOST_BACKGROUND = 64;
const BACKGROUND_MS = 60_000;

export interface InnerHost {
  readonly driver: Driver;
  /** Milliseconds since 1970. */
  now(): number;
  /** Monotonic milliseconds. */
  monotonic(): number;
  begin(exchange: GwExchange, downstream: Downstream): void;
  end(exchange: GwExchange, status: number, bytesIn: number, bytesOut: number, cut: boolean, now: number): void;
  /** A copy of an exchange begins in the background. Returns false if none can run here. */
  detach(exchange: GwExchange): boolean;
  /** It has ended. */
  detached(exchange: GwExchange): void;
  bug(error: unknown, request: string): void;
}

const WHAT = 'a further request';
const BACKGROUND = 'an exchange in the background';
const NO_PROXIES = new TrustedProxies([]);
/** Of a listener that the generation does not name any more. */
const LIMITS: HeadLimits = {
  maxHeaderBytes: 32 * 1024,
  maxHeaders: 100,
  maxTargetBytes: 16 * 1024,
  underscores: 'refuse-aliases',
};

export class InnerExchanges implements InnerExchangeWorld, InnerStreamHost {
  readonly #host: InnerHost;
  readonly #head = new RequestHead();
  readonly #active = new Set<InnerStream>();
  #background = 0;

  constructor(host: InnerHost) {
    this.#host = host;
  }

  get driver(): Driver {
    return this.#host.driver;
  }

  async subrequest(caller: Caller, exchange: Exchange, request: SubRequest): Promise<StreamedReply> {
    const parent = ownExchange(exchange);
    let result = 'failed';
    try {
      const { parsed, body } = this.#create(parent, request);
      const reply = await this.#run(parent, parsed, body);
      result = String(reply.status);
      return reply;
    } catch (error) {
      if (error instanceof CallError) result = error.cause;
      throw error;
    } finally {
      const path = request.path.split('?', 1)[0];
      exchange.decisions?.push(callDecision(caller, `${request.method} ${path} of this gateway: ${result}`));
    }
  }

  async background({ name }: Caller, exchange: Exchange): Promise<StreamedReply> {
    const of = ownExchange(exchange);
    const position = of.compiled?.chain.positionOf(name) ?? -1;
    if (position < 0) throw new TypeError(`The policy ${name} is not on the route of the exchange`);
    if (of.hasBody || of.wantsUpgrade)
      throw new TypeError('A request with a body or an upgrade cannot continue in the background');
    const { generation } = of;
    if (generation.finished) throw new CallError(BACKGROUND, 'gateway/drained', 'its generation has ended');
    if (this.#background >= MOST_BACKGROUND)
      throw new CallError(BACKGROUND, 'upstream/calls-full', `${MOST_BACKGROUND} exchanges continue in the background`);
    const copy = this.#copy(of, position + 1);
    const runs = this.#host.detach(copy);
    of.decisions?.push(callDecision({ name }, `${runs ? 'continues' : 'would continue'} in the background`));
    if (!runs) throw new CallError(BACKGROUND, 'upstream/none', 'nothing runs in the background here');
    return this.#detach(copy);
  }

  #copy(of: GwExchange, from: number): GwExchange {
    const { method, host, authority, path, query, bareQuery, minor, seen, headers, peer, generation } = of;
    const request = { method, host, authority, path, query, bareQuery, minor, seen, contentLength: of.contentLength };
    const startMs = this.#host.monotonic();
    const own = this.#exchangeHost(`${of.id}.bg`, of);
    const copy = new GwExchange({ ...request, fields: () => headers.copy() }, peer, generation, own, startMs);
    copy.continue(of, from);
    copy.deadline = startMs + (of.route.timeout || BACKGROUND_MS);
    return copy;
  }

  #detach(copy: GwExchange): Promise<StreamedReply> {
    return new Promise((resolve, reject) => {
      const stream = new InnerStream(this, copy, NO_BODY, { resolve, reject });
      this.#active.add(stream);
      this.#background++;
      stream.onEnd = () => {
        this.#background--;
        this.#host.detached(copy);
      };
      try {
        this.driver.resume(copy, stream);
      } catch (error) {
        stream.broke(error);
      }
    });
  }

  #exchangeHost(id: string, { collectBudget }: GwExchange): ExchangeHost {
    return { newId: () => id, now: () => this.#host.now(), monotonic: () => this.#host.monotonic(), collectBudget };
  }

  /** Exchanges that continue in the background. */
  get backgroundCount(): number {
    return this.#background;
  }

  /** Throws CallError if a bound is reached or the request is refused, TypeError if it cannot be sent. */
  #create(parent: GwExchange, { method, path, headers = [], body: given = '' }: SubRequest) {
    assertLine(method, path);
    const { lines } = endToEndLines(headers);
    const body = bytesOf(given);
    const root = this.#bounded(parent);
    const { generation, peer, authority } = parent;
    const limits = generation.program.listeners.find(({ name }) => name === peer.listener.entry.name) ?? LIMITS;
    const head = this.#head;
    head.written = generation.written;
    const text = `${method} ${path} HTTP/1.1\r\nhost: ${authority}\r\n${lines}${lengthLine(method, body)}\r\n`;
    if (head.parse(text, limits) < 0) throw new CallError(WHAT, head.error, head.cause);
    root.descendants++;
    const host = this.#exchangeHost(`${root.id}.${root.descendants}`, parent);
    const parsed = new GwExchange(head, innerPeer(parent), generation, host, this.#host.monotonic());
    parsed.parent = parent;
    return { parsed, body };
  }

  #bounded(parent: GwExchange): GwExchange {
    if (parent.over) throw new CallError(WHAT, 'downstream/aborted', 'the exchange has ended');
    let root = parent;
    let depth = 1;
    for (; root.parent !== undefined; root = root.parent) depth++;
    const most = (what: string): CallError => new CallError(WHAT, 'upstream/calls-full', what);
    if (depth > DEEPEST) throw most(`further requests nest deeper than ${DEEPEST} levels`);
    if (root.descendants >= MOST_SUBREQUESTS)
      throw most(`more than ${MOST_SUBREQUESTS} further requests of one exchange`);
    if (this.#active.size >= MOST_INNER) throw most(`${MOST_INNER} further requests are in progress in this worker`);
    return root;
  }

  #run(parent: GwExchange, exchange: GwExchange, body: Buffer): Promise<StreamedReply> {
    return new Promise((resolve, reject) => {
      const stream = new InnerStream(this, exchange, body, { resolve, reject });
      this.#active.add(stream);
      const attached: Attached = {
        exchangeEnded: () =>
          this.driver.fail(exchange, 'downstream/aborted', 'the exchange that it belongs to has ended'),
      };
      parent.attached.add(attached);
      stream.onEnd = () => {
        parent.attached.delete(attached);
        const { status, sent, received, wasCut } = stream;
        this.#host.end(exchange, status, sent, received, wasCut, this.#host.monotonic());
      };
      try {
        this.#host.begin(exchange, stream);
      } catch (error) {
        stream.broke(error);
      }
      // Its route has set its own deadline.
      const { deadline } = parent;
      if (deadline > 0 && (exchange.deadline === 0 || deadline < exchange.deadline)) exchange.deadline = deadline;
    });
  }

  ended(stream: InnerStream): void {
    this.#active.delete(stream);
    stream.onEnd();
  }

  bug(error: unknown, request: string): void {
    this.#host.bug(error, request);
  }

  *exchanges(): Generator<GwExchange> {
    for (const { exchange } of this.#active) yield exchange;
  }

  /** Ends all of them. */
  close(): void {
    for (const { exchange } of this.#active) this.driver.fail(exchange, 'gateway/drained', 'the gateway has stopped');
  }

  /** Checks all deadlines; called a few times a second with the monotonic time. */
  sweep(now: number): void {
    for (const { exchange } of this.#active) {
      if (exchange.deadline === 0 || exchange.deadline > now) continue;
      const took = timeSpan(exchange.deadline - exchange.startMs);
      this.driver.fail(exchange, 'exchange/timeout', `exchange timeout (${took})`);
    }
  }
}

/** Throws TypeError for an object that is not an exchange of gw. */
function ownExchange(exchange: Exchange): GwExchange {
  if (exchange instanceof GwExchange) return exchange;
  throw new TypeError('Not an exchange of gw');
}

const NO_BODY = Buffer.alloc(0);

/** The same client and listener. Forwarding fields of such a request are not those of a proxy, so they are not trusted. */
function innerPeer({ peer, remoteAddress, scheme }: GwExchange): Peer {
  return { ...peerOf(remoteAddress, scheme, NO_PROXIES, peer.listener, peer.tls), memory: peer.memory };
}
