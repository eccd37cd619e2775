/**
 * Exchanges inside gw: further requests of an exchange that a policy or an action sends through match and chain. Each is an
 * exchange of its own, with its line in the access log, and ends with the one that it belongs to.
 */
import type { Exchange, StreamedReply, SubRequest } from '../../../policies/contract.js';
import { timeSpan } from '../../errors/cause.js';
import { type HeadLimits, RequestHead } from '../../http/request-head.js';
import { type Attached, type Caller, callDecision, parentOf } from '../../upstream/call/calls.js';
import { CallError } from '../../upstream/call/failure.js';
import { assertLine, bytesOf, endToEndLines, lengthLine } from '../../upstream/call/request.js';
import type { Downstream } from '../downstream.js';
import type { Driver } from '../driver.js';
import { GwExchange } from '../exchange.js';
import { type Peer, peerOf, TrustedProxies } from '../peer.js';
import type { InnerExchangeWorld } from '../policy-host.js';
import { InnerStream, type InnerStreamHost } from './stream.js';

/** Further requests of one exchange, and how deep they may nest. */
export const MOST_SUBREQUESTS = 32;
export const DEEPEST = 4;
/** Exchanges inside gw of a worker at the same time. */
export const MOST_INNER = 4096;

export interface InnerHost {
  readonly driver: Driver;
  /** Milliseconds since 1970. */
  now(): number;
  /** Monotonic milliseconds. */
  monotonic(): number;
  begin(exchange: GwExchange, downstream: Downstream): void;
  end(exchange: GwExchange, status: number, bytesIn: number, bytesOut: number, cut: boolean, now: number): void;
  bug(error: unknown, request: string): void;
}

const WHAT = 'a further request';
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

  constructor(host: InnerHost) {
    this.#host = host;
  }

  get driver(): Driver {
    return this.#host.driver;
  }

  async subrequest(caller: Caller, exchange: Exchange, request: SubRequest): Promise<StreamedReply> {
    parentOf(exchange);
    if (!(exchange instanceof GwExchange)) throw new TypeError('Not an exchange of gw');
    let result = 'failed';
    try {
      const { parsed, body } = this.#create(exchange, request);
      const reply = await this.#run(exchange, parsed, body);
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
    const id = `${root.id}.${root.descendants}`;
    const host = {
      newId: () => id,
      now: () => this.#host.now(),
      monotonic: () => this.#host.monotonic(),
      collectBudget: parent.collectBudget,
    };
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
      stream.onEnd = () => parent.attached.delete(attached);
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
    const { exchange, status, sent, received, wasCut } = stream;
    this.#host.end(exchange, status, sent, received, wasCut, this.#host.monotonic());
  }

  bug(error: unknown, request: string): void {
    this.#host.bug(error, request);
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

/** The same client and listener. Forwarding fields of such a request are not those of a proxy, so they are not trusted. */
function innerPeer({ peer, remoteAddress, scheme }: GwExchange): Peer {
  return { ...peerOf(remoteAddress, scheme, NO_PROXIES, peer.listener, peer.tls), memory: peer.memory };
}
