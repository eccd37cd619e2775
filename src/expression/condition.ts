/**
 * Runs expressions in a worker. The compiler has parsed, checked and lowered them (lower.ts); here each becomes closures
 * once, at load. An evaluation reads only what it uses, and its work is bounded by MAX_STEPS.
 */
import type { Dfa, ExpressionEntry, Json } from '../bundle/types.js';
import type { Exchange, Condition as HostCondition, Reply } from '../contract/index.js';
import { factOf, isMap, isOfReply, MACROS, type MapFact, type ValueFact } from './environment.js';
import { acceptsText } from './pattern.js';
import {
  type Budget,
  CALLS,
  ExpressionError,
  hasItem,
  isInt,
  isList,
  isObject,
  itemOf,
  MAX_STEPS,
  negated,
  OPERATORS,
  spend,
  truth,
  typeOf,
  type Value,
} from './values.js';

export { ExpressionError } from './values.js';

/** A condition of a policy. */
export interface Condition extends HostCondition {
  /** It reads the reply: `holds` needs one. */
  readonly onReply: boolean;
}

/** One evaluation. */
interface Scope extends Budget {
  exchange: Exchange;
  reply: Reply;
  /** Variables of macros, outermost first. */
  readonly locals: Value[];
}

type Run = (scope: Scope) => Value;

/** Nesting of code that is accepted; the compiler writes far less. */
const MAX_DEPTH = 1200;
/** Steps for an error that another operand or element makes irrelevant. */
const ERROR_STEPS = 100;
/** Steps for reading a header field or query parameter. */
const READ_STEPS = 8;

/** Builds the condition of a bundle's entry. Throws TypeError if its code is malformed. */
export function condition({ source, code, patterns = [] }: ExpressionEntry): Condition {
  const builder = new Builder(patterns);
  const run = builder.build(code, 0);
  const { onReply } = builder;
  return {
    source,
    onReply,
    holds(exchange, reply) {
      if (onReply && reply === undefined) throw new ExpressionError('there is no reply yet');
      return truth(run({ exchange, reply: reply!, locals: [], steps: MAX_STEPS }), 'the result');
    },
  };
}

/** The value of code that reads nothing of an exchange. Throws ExpressionError; TypeError if it is malformed. */
export function constantValue(code: Json, patterns: readonly Dfa[]): Value {
  return new Builder(patterns).build(code, 0)({ ...NO_SCOPE, locals: [], steps: MAX_STEPS });
}

/** For code that reads nothing. */
const NO_SCOPE: Scope = { ...({} as Pick<Scope, 'exchange' | 'reply'>), locals: [], steps: 0 };

/** Code -> closures. */
class Builder {
  onReply = false;
  readonly #patterns: readonly Dfa[];

  constructor(patterns: readonly Dfa[]) {
    this.#patterns = patterns;
  }

  build(code: Json | undefined, depth: number): Run {
    if (code === undefined || depth > MAX_DEPTH) throw malformed();
    if (!Array.isArray(code)) {
      if (typeof code === 'object' && code !== null) throw malformed();
      return () => code;
    }
    const [op, ...operands] = code as readonly Json[];
    const next = (index: number): Run => this.build(operands[index], depth + 1);
    switch (op) {
      case 'integer':
        return integer(operands[0]);
      case 'list':
        return listOf(
          operands.map((_, index) => next(index)),
          operands.every(isLiteral),
        );
      case 'local':
        return local(operands[0]);
      case 'fact':
      case 'has-fact':
        return this.#fact(op, operands[0]);
      case 'field':
      case 'has-field':
        return this.#field(op, operands[0], next(1));
      case '&&':
      case '||':
        return logical(op === '||', next(0), next(1));
      case '?:':
        return choice(next(0), next(1), next(2));
      case '!':
        return not(next(0));
      case 'neg':
        return negation(next(0));
      case 'matches':
        return this.#matches(next(0), operands[1]);
      case 'each':
        return macro(operands[0], next(1), next(2), operands.length > 3 ? next(3) : undefined);
      default:
        return this.#operation(op, operands.length, next);
    }
  }

  #operation(op: Json | undefined, count: number, next: (index: number) => Run): Run {
    if (typeof op !== 'string') throw malformed();
    const call = Object.hasOwn(CALLS, op) ? CALLS[op] : undefined;
    if (call !== undefined && call.operands === count) {
      const { run } = call;
      const [a, b] = [next(0), count === 2 ? next(1) : NOTHING];
      return (scope) => run(scope, a(scope), b(scope));
    }
    const operation = op === 'item' ? itemOf : op === 'has-item' ? hasItem : OPERATORS[op];
    if (operation === undefined || !(op === 'item' || op === 'has-item' || Object.hasOwn(OPERATORS, op)) || count !== 2)
      throw malformed();
    const [a, b] = [next(0), next(1)];
    return (scope) => operation(scope, a(scope), b(scope));
  }

  #fact(op: 'fact' | 'has-fact', name: Json | undefined): Run {
    const fact = typeof name === 'string' ? factOf(name) : undefined;
    if (fact === undefined || isMap(fact)) throw malformed();
    if (isOfReply(fact.name)) this.onReply = true;
    if (op === 'has-fact') return ({ exchange, reply }) => fact.read(exchange, reply) !== undefined;
    return readerOf(fact);
  }

  #field(op: 'field' | 'has-field', name: Json | undefined, key: Run): Run {
    const fact = typeof name === 'string' ? factOf(name) : undefined;
    if (fact === undefined || !isMap(fact)) throw malformed();
    if (isOfReply(fact.name)) this.onReply = true;
    const absent = fact.type === 'map<string, dyn>' ? null : '';
    if (op === 'field') return (scope) => fieldOf(fact, scope, key(scope)) ?? absent;
    return (scope) => fieldOf(fact, scope, key(scope)) !== undefined;
  }

  #matches(text: Run, index: Json | undefined): Run {
    const pattern = typeof index === 'number' ? this.#patterns[index] : undefined;
    if (pattern === undefined) throw malformed();
    return (scope) => {
      const value = text(scope);
      if (typeof value !== 'string') throw new ExpressionError(`matches needs a string, not ${typeOf(value)}`);
      spend(scope, value.length);
      return acceptsText(pattern, value);
    };
  }
}

const malformed = (): TypeError => new TypeError('malformed expression');
const NOTHING: Run = () => null;

function integer(digits: Json | undefined): Run {
  if (typeof digits !== 'string' || !/^-?[0-9]{1,19}$/.test(digits)) throw malformed();
  const value = BigInt(digits);
  if (!isInt(value)) throw malformed();
  return () => value;
}

const NO_ITEMS: readonly string[] = [];

function readerOf(fact: ValueFact): Run {
  switch (fact.type) {
    case 'int':
      return ({ exchange, reply }) => BigInt((fact.read(exchange, reply) as number | undefined) ?? 0);
    case 'list<string>':
      return ({ exchange, reply }) => fact.read(exchange, reply) ?? NO_ITEMS;
    case 'bool':
      return ({ exchange, reply }) => fact.read(exchange, reply) ?? false;
    case 'string':
      return ({ exchange, reply }) => fact.read(exchange, reply) ?? '';
  }
}

function fieldOf(fact: MapFact, scope: Scope, key: Value): Json | undefined {
  if (typeof key !== 'string') throw new ExpressionError(`${fact.name} has no element by ${typeOf(key)}`);
  spend(scope, READ_STEPS + key.length);
  return fact.read(scope.exchange, scope.reply, fact.lowerCase ? key.toLowerCase() : key);
}

function local(index: Json | undefined): Run {
  if (typeof index !== 'number' || !Number.isSafeInteger(index) || index < 0) throw malformed();
  return ({ locals }) => {
    const value = locals[index];
    if (value === undefined) throw malformed();
    return value;
  };
}

/** `literal`: the items read nothing, so that one list serves all evaluations. */
function listOf(items: readonly Run[], literal: boolean): Run {
  if (!literal) return (scope) => items.map((item) => item(scope));
  const list = items.map((item) => item(NO_SCOPE));
  return () => list;
}

const isLiteral = (code: Json): boolean => !Array.isArray(code) || code[0] === 'integer';

/** CEL's && and ||: an operand that decides makes the other one irrelevant, also if that one fails. */
function logical(decides: boolean, left: Run, right: Run): Run {
  const what = `an operand of ${decides ? '||' : '&&'}`;
  return (scope) => {
    let first: boolean;
    try {
      first = truth(left(scope), what);
    } catch (error) {
      ignore(scope, error);
      if (right(scope) !== decides) throw error;
      return decides;
    }
    return first === decides ? decides : truth(right(scope), what);
  };
}

function choice(test: Run, yes: Run, no: Run): Run {
  return (scope) => (truth(test(scope), 'the condition of ?:') ? yes(scope) : no(scope));
}

function not(operand: Run): Run {
  return (scope) => !truth(operand(scope), 'the operand of !');
}

function negation(operand: Run): Run {
  return (scope) => negated(operand(scope));
}

/** A macro over a list: `body` is the predicate, or the result of map. `then`: the result of map with a predicate. */
function macro(name: Json | undefined, range: Run, body: Run, then: Run | undefined): Run {
  const kind = MACROS.find((one) => one === name);
  if (kind === undefined || (then !== undefined && kind !== 'map')) throw malformed();
  return (scope) => {
    const items = itemsOf(range(scope));
    const { locals } = scope;
    const depth = locals.length;
    try {
      switch (kind) {
        case 'exists':
        case 'all':
          return decided(scope, items, body, kind === 'exists', depth);
        case 'exists_one':
          return chosen(scope, items, body, depth).length === 1;
        case 'filter':
          return chosen(scope, items, body, depth);
        case 'map':
          return results(scope, then === undefined ? items : chosen(scope, items, body, depth), then ?? body, depth);
      }
    } finally {
      locals.length = depth;
    }
  };
}

/** The elements of a list, the names of an object. */
function itemsOf(range: Value): readonly Value[] {
  if (isList(range)) return range;
  if (isObject(range)) return Object.keys(range);
  throw new ExpressionError(`${typeOf(range)} has no elements`);
}

function visit(scope: Scope, item: Value, body: Run, depth: number): Value {
  spend(scope, 1);
  scope.locals.length = depth;
  scope.locals.push(item);
  return body(scope);
}

/** Throws unless it is an error of the expression, and steps are left. */
function ignore(scope: Scope, error: unknown): ExpressionError {
  if (!(error instanceof ExpressionError) || scope.steps < 0) throw error;
  spend(scope, ERROR_STEPS);
  return error;
}

/** Whether an element decides: for exists a true one, for all a false one. It counts more than one that fails. */
function decided(scope: Scope, items: readonly Value[], body: Run, decides: boolean, depth: number): boolean {
  let failed: ExpressionError | undefined;
  for (const item of items) {
    try {
      if (truth(visit(scope, item, body, depth), 'a predicate') === decides) return decides;
    } catch (error) {
      const ignored = ignore(scope, error);
      failed ??= ignored;
    }
  }
  if (failed !== undefined) throw failed;
  return !decides;
}

function chosen(scope: Scope, items: readonly Value[], body: Run, depth: number): readonly Value[] {
  return items.filter((item) => truth(visit(scope, item, body, depth), 'a predicate'));
}

function results(scope: Scope, items: readonly Value[], body: Run, depth: number): readonly Value[] {
  return items.map((item) => visit(scope, item, body, depth));
}
