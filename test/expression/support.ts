/** An exchange with fixed facts, for expressions. */
import type { Exchange, Reply } from '../../src/contract/index.js';
import { type CheckedExpression, checkExpression, type ExpressionProblem } from '../../src/expression/check.js';
import { condition } from '../../src/expression/condition.js';

export interface Facts {
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly params?: Readonly<Record<string, string>>;
  readonly consumer?: {
    readonly name: string;
    readonly plan?: string;
    readonly groups?: readonly string[];
    readonly tags?: Readonly<Record<string, string>>;
  };
  readonly claims?: Exchange['claims'];
  readonly tls?: Exchange['connection']['tls'];
}

const own = (table: Readonly<Record<string, string>> | undefined, name: string): string | undefined =>
  table !== undefined && Object.hasOwn(table, name) ? table[name] : undefined;

/** Only what expressions read. */
export function exchangeOf(facts: Facts = {}): Exchange {
  const { consumer } = facts;
  const exchange: Partial<Exchange> = {
    id: 'r-1',
    method: facts.method ?? 'GET',
    path: facts.path ?? '/orders/7',
    host: facts.host ?? 'api.example',
    scheme: 'http',
    remoteAddress: '192.0.2.7',
    connection: { address: '192.0.2.7', trusted: false, tls: facts.tls },
    route: { name: 'get-order' } as Exchange['route'],
    headers: { get: (name) => own(facts.headers, name) } as Exchange['headers'],
    queryParam: (name) => own(facts.query, name),
    param: (name) => own(facts.params, name),
    consumer: consumer && { groups: [], credentials: [], tags: {}, ...consumer },
    claims: facts.claims,
  };
  return exchange as Exchange;
}

export const replyOf = (status: number, headers: Readonly<Record<string, string>> = {}): Reply => ({
  status,
  headers: { get: (name) => own(headers, name) } as Reply['headers'],
  body: null,
});

export const isProblem = (result: CheckedExpression | ExpressionProblem): result is ExpressionProblem =>
  'message' in result;

/** The checked expression; throws if it is not valid. */
export function valid(source: string): CheckedExpression {
  const result = checkExpression(source, { reply: true });
  if (isProblem(result)) throw new Error(`${source}: ${result.message}`);
  return result;
}

/** The problem of an expression; throws if it is valid. */
export function problemOf(source: string, reply = false): ExpressionProblem {
  const result = checkExpression(source, { reply });
  if (isProblem(result)) return result;
  throw new Error(`valid: ${source}`);
}

/** Checks and evaluates. */
export const holds = (source: string, facts: Facts = {}, reply: Reply = replyOf(200)): boolean =>
  condition(valid(source).entry).holds(exchangeOf(facts), reply);
