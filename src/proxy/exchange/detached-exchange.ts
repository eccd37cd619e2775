/**
 * In place of an exchange, for the policies that sign a call which belongs to none: it has no client, no caller and no fields, so a
 * credential that depends on those has no value.
 */
import type {
  Claims,
  ClientCertificate,
  ConnectionFacts,
  ConsumerEntry,
  Decision,
  Exchange,
  RouteEntry,
} from '../../policies/contract.js';
import { HeaderMap } from '../../policies/run-kit.js';
import { NO_ROUTE_ENTRY } from './request-description.js';

const NO_CONNECTION: ConnectionFacts = { address: '', trusted: false, tls: undefined };

export class DetachedExchange implements Exchange {
  readonly method = '';
  readonly host = '';
  readonly path = '';
  query = '';
  readonly targetPath = '';
  readonly target = null;
  readonly remoteAddress = '';
  readonly scheme = 'http';
  readonly listener = '';
  readonly connection = NO_CONNECTION;
  readonly clientCertificate: ClientCertificate | undefined = undefined;
  readonly route: RouteEntry = NO_ROUTE_ENTRY;
  readonly headers = new HeaderMap();
  readonly receivedTarget = '';
  readonly hasBody = false;
  readonly wantsUpgrade = false;
  readonly startedAt = 0;
  readonly sent = false;
  lasting = false;
  sendOnce = false;
  consumer: ConsumerEntry | undefined = undefined;
  claims: Claims | undefined = undefined;
  readonly known = false;
  readonly earlierCallers = undefined;
  readonly absent = undefined;
  readonly challenge = undefined;
  rule: string | undefined = undefined;
  readonly decisions: Decision[] | undefined = undefined;
  /** The call ends by its own bounds. */
  readonly over = false;
  readonly #notes = new Map<object, object>();

  /** `id`: of the call. */
  constructor(readonly id: string) {}

  /** There is no request that a target could get. */
  setTargetPath(): boolean {
    return false;
  }

  received(): undefined {
    return undefined;
  }

  header(): undefined {
    return undefined;
  }

  param(): undefined {
    return undefined;
  }

  rawParam(): undefined {
    return undefined;
  }

  queryParam(): undefined {
    return undefined;
  }

  note(owner: object, value: object): void {
    this.#notes.set(owner, value);
  }

  noted(owner: object): object | undefined {
    return this.#notes.get(owner);
  }

  /** There is no connection. */
  remember(): void {}

  remembered(): undefined {
    return undefined;
  }
}
