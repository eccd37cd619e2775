/**
 * Takes the place of a target in an offline run. It gets the request's body and head as a relay would send them; a mock of the
 * service answers. The reply passes the same parser as that of a real target.
 */

import { STATUS_CODES } from 'node:http';
import { shownText } from '../../bundle/wire-text.js';
import type { Reply } from '../../policies/contract.js';
import { messageOf } from '../../reason.js';
import { BAD_REWRITE } from '../errors/cause.js';
import { TargetAttempt } from '../exchange/attempt.js';
import { Collector } from '../exchange/body/collector.js';
import { EMPTY } from '../exchange/body/types.js';
import { refuse } from '../exchange/chain/refuse.js';
import type { ReplySource } from '../exchange/downstream.js';
import type { Driver } from '../exchange/driver.js';
import type { GwExchange } from '../exchange/exchange.js';
import { TargetChoice } from '../exchange/target-choice.js';
import { pathAndQuery, requestHead, upgradeLines } from '../exchange/target-head.js';
import { rewriteFault } from '../exchange/target-path.js';
import { isBodiless, TargetReply } from '../exchange/target-reply.js';
import { handshakeFault } from '../exchange/tunnel/handshake.js';
import { ResponseHead } from '../http/response-head.js';
import type { Service } from '../upstream/service.js';
import type { AttemptUser } from '../upstream/shown-attempt.js';
import type { Target } from '../upstream/target.js';
import type { OfflineCall, OfflineReply } from './mocks.js';

/** A target, and what it gets. */
export interface AskedTarget {
  readonly url: string;
  /** The lines of the request's head. */
  readonly head: readonly string[];
  readonly body: Uint8Array;
  /** Names of the fields that policies have set for the attempt. */
  readonly added: readonly string[];
}

export interface OfflineTargetHost {
  readonly driver: Driver;
  /** The reply of the service's mock; undefined if it has none. */
  mock(exchange: GwExchange, call: OfflineCall): OfflineReply | undefined;
  /** A request goes to a target; undefined if there is none yet. */
  asked(exchange: GwExchange, target: AskedTarget | undefined): void;
  /** There is no mock. Returns a reply in place of the target's; undefined if the exchange has ended. */
  unanswered(exchange: GwExchange, service: string): Reply | undefined;
}

/** Largest request body that is shown to a mock, in bytes. */
const MAX_BODY = 64 * 1024 * 1024;

export class OfflineTarget implements ReplySource, AttemptUser {
  contentLength = 0;
  bodiless = true;
  readonly readsRequest = true;
  over = false;
  readonly #host: OfflineTargetHost;
  readonly #exchange: GwExchange;
  readonly #service: Service;
  #collector: Collector | undefined = undefined;
  #requestBody: Buffer = EMPTY;
  #attempt: TargetAttempt | undefined = undefined;
  #attempts = 0;
  readonly #choice: TargetChoice;
  #target: Target | undefined = undefined;
  #unauthorized = false;
  #body: Buffer = EMPTY;
  #flowed = false;

  constructor(host: OfflineTargetHost, exchange: GwExchange, service: Service) {
    this.#host = host;
    this.#exchange = exchange;
    this.#service = service;
    this.#choice = new TargetChoice(exchange, service);
  }

  get setCookie(): string | undefined {
    return this.#choice.cookieOf(this.#target);
  }

  start(): void {
    const exchange = this.#exchange;
    if (!exchange.hasBody) {
      const fault = exchange.wantsUpgrade ? handshakeFault(exchange) : undefined;
      if (fault === undefined) this.#ask();
      else this.#refuse(refuse(exchange, fault.error, fault.cause));
      return;
    }
    this.#collector = new Collector(exchange.collectBudget, MAX_BODY, (result) => {
      this.#collector = undefined;
      if (this.over) return;
      if (typeof result === 'string') {
        exchange.fail('request/body-too-large', `more than ${MAX_BODY} bytes in an offline run`);
        return;
      }
      this.#requestBody = Buffer.from(result.bytes);
      result.release();
      this.#ask();
    });
    (exchange.bodies?.request ?? exchange.downstream!).pull(this.#collector);
  }

  #ask(): void {
    const exchange = this.#exchange;
    const target = this.#choice.pick(0);
    this.#target = target;
    if (target === undefined) {
      this.#host.asked(exchange, undefined);
      this.#answer(exchange.path, [...exchange.headers.entries()]);
      return;
    }
    this.#attempts++;
    if (!exchange.compiled!.chain.seesAttempts) {
      this.onAttemptReady(target);
      return;
    }
    this.#attempt = new TargetAttempt(exchange, target, this.#attempts, this.#unauthorized);
    this.#attempt.show(this);
  }

  onAttemptFailed(error: unknown): void {
    this.#refuse(refuse(this.#exchange, 'policy/failed', `a policy failed before an attempt: ${messageOf(error)}`));
  }

  onAttemptAnswered(reply: Reply): void {
    this.#exchange.error = reply.code ?? 'policy/answered';
    this.#exchange.cause = reply.cause ?? null;
    this.#refuse(reply);
  }

  onAttemptReady(target: Target): void {
    const exchange = this.#exchange;
    const upgrades = exchange.wantsUpgrade && !exchange.hasBody;
    const write = (): string | undefined => requestHead(exchange, target, upgrades ? upgradeLines(exchange) : '');
    const text = this.#attempt === undefined ? write() : this.#attempt.withFields(write);
    const path = pathAndQuery(exchange, target);
    if (text === undefined || path === undefined) {
      this.#refuse(refuse(exchange, rewriteFault(exchange), BAD_REWRITE));
      return;
    }
    const head = shownText(text).trimEnd().split('\r\n');
    this.#host.asked(exchange, {
      url: target.url,
      head,
      body: this.#requestBody,
      added: [...(this.#attempt?.added ?? [])],
    });
    // What a tunnel carries is not known.
    if (upgrades) this.#pass(this.#host.unanswered(exchange, target.service));
    else this.#answer(path, head.slice(1).map(fieldOf));
  }

  #answer(path: string, headers: OfflineCall['headers']): void {
    const exchange = this.#exchange;
    exchange.sent = true;
    const service = this.#service.entry.name;
    const call = { service, method: exchange.method, path, headers, body: this.#requestBody };
    const mocked = this.#host.mock(exchange, call);
    if (mocked === undefined) this.#pass(this.#host.unanswered(exchange, service));
    else this.#received(mocked);
  }

  #received(mocked: OfflineReply): void {
    const exchange = this.#exchange;
    const head = new ResponseHead();
    const body = Buffer.from(mocked.body ?? '');
    const text = headText(mocked, body.length);
    const whole = head.parse(text) === text.length;
    const fault = whole ? head.lengthFault(exchange.method === 'HEAD') : (head.fault ?? 'not one head');
    if (fault !== undefined || head.status < 200) {
      this.#refuse(
        refuse(exchange, 'upstream/invalid', `mock of ${this.#service.entry.name}: ${fault ?? 'not a final reply'}`),
      );
      return;
    }
    if (head.status === 401 && this.#attempt?.repeats === true && this.#repeatable) {
      this.#unauthorized = true;
      this.#ask();
      return;
    }
    this.bodiless = isBodiless(head.status);
    this.contentLength = head.contentLength;
    if (!this.bodiless && exchange.method !== 'HEAD') this.#body = body;
    this.#pass(new TargetReply(head, this));
  }

  /** As in a relay: the body is in memory, or there is none. */
  get #repeatable(): boolean {
    return !this.#exchange.hasBody || this.#exchange.bodies?.requestBytes !== undefined;
  }

  #refuse(reply: Reply): void {
    this.over = true;
    this.#pass(reply);
  }

  #pass(reply: Reply | undefined): void {
    if (reply !== undefined) this.#host.driver.replied(this.#exchange, reply);
  }

  flow(): void {
    if (this.over || this.#flowed) return;
    this.#flowed = true;
    this.#exchange.receiver!.body(this.#body, 0, this.#body.length, true);
  }

  resume(): void {}

  cancel(): void {
    this.over = true;
    this.#collector?.cancel();
    this.#collector = undefined;
  }

  discard(): void {
    this.cancel();
  }
}

/** A line of a head: the name in lower case, and the value. */
export const fieldOf = (line: string): readonly [string, string] => {
  const colon = line.indexOf(':');
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
};

/** The head of a mocked reply as a target would send it. */
function headText({ status = 200, headers = {} }: OfflineReply, length: number): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const framed = Object.keys(headers).some((name) => /^(content-length|transfer-encoding)$/i.test(name));
  if (!framed && status !== 204 && status !== 304 && status >= 200) lines.push(`content-length: ${length}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n`;
}
