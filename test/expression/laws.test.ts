/** Laws over random expressions: folded as evaluated, and evaluated as cel-js evaluates. */
import { Environment } from '@marcbachmann/cel-js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkExpression } from '../../src/expression/check.js';
import { condition, ExpressionError } from '../../src/expression/condition.js';
import { lowerExpression } from '../../src/expression/lower.js';
import { seededBelow } from '../support/random.js';
import { exchangeOf, isProblem } from './support.js';

const FACTS = {
  headers: { a: 'x', b: 'GET,POST' },
  consumer: { name: 'acme', plan: 'free' },
  claims: { n: 3, s: 'x', l: ['x', 'y'], b: true, deep: { s: 'GET' } },
};

/** The same facts for cel-js. */
const CONTEXT = {
  request: { method: 'GET', path: '/orders/7', headers: FACTS.headers },
  consumer: FACTS.consumer,
  claims: FACTS.claims,
};

const oracle = new Environment()
  .registerVariable('request', { schema: { method: 'string', path: 'string', headers: 'map<string, string>' } })
  .registerVariable('consumer', { schema: { name: 'string', plan: 'string' } })
  .registerVariable('claims', 'map<string, dyn>');

/** Random expressions, most of them well-typed. */
class Expressions {
  readonly #below: (below: number) => number;
  /** Variables of macros around. */
  readonly #strings: string[] = [];

  constructor(below: (below: number) => number) {
    this.#below = below;
  }

  bool(depth: number): string {
    const d = depth - 1;
    if (depth <= 0) return this.#one(['true', 'false', 'claims.b', 'has(claims.s)', '"a" in request.headers']);
    switch (this.#below(12)) {
      case 0:
        return `(${this.bool(d)} && ${this.bool(d)})`;
      case 1:
        return `(${this.bool(d)} || ${this.bool(d)})`;
      case 2:
        return `!${this.bool(d)}`;
      case 3:
        return `(${this.bool(d)} ? ${this.bool(d)} : ${this.bool(d)})`;
      case 4:
        return `(${this.string(d)} ${this.#one(['==', '!=', '<', '<=', '>', '>='])} ${this.string(d)})`;
      case 5:
        return `(${this.int(d)} ${this.#one(['==', '!=', '<', '<=', '>', '>='])} ${this.int(d)})`;
      case 6:
        return `(${this.string(d)} in ${this.list(d)})`;
      case 7:
        return `${this.string(d)}.${this.#one(['startsWith', 'endsWith', 'contains'])}(${this.string(d)})`;
      case 8:
        return `${this.string(d)}.matches("${this.#one(['a', '^G', 'T$', '[0-9]+', '^(?:GET|x)$'])}")`;
      case 9:
        return this.#macro(d, ['exists', 'all', 'exists_one']);
      case 10:
        return `(claims.n ${this.#one(['==', '>', '<'])} ${this.int(d)})`;
      default:
        return `(${this.list(d)} == ${this.list(d)})`;
    }
  }

  string(depth: number): string {
    const d = depth - 1;
    if (depth <= 0 || this.#below(3) === 0)
      return this.#one(['"x"', '"GET"', '""', '"é😀"', 'request.method', 'request.headers["a"]', ...this.#strings]);
    switch (this.#below(6)) {
      case 0:
        return `(${this.string(d)} + ${this.string(d)})`;
      case 1:
        return `string(${this.int(d)})`;
      case 2:
        return `${this.string(d)}.trim()`;
      case 3:
        return `(${this.bool(d)} ? ${this.string(d)} : ${this.string(d)})`;
      case 4:
        return this.#one(['claims.s', 'claims.deep.s', 'consumer.name', 'request.path', 'request.headers.b']);
      default:
        return `${this.list(d)}[${this.#below(3)}]`;
    }
  }

  int(depth: number): string {
    const d = depth - 1;
    if (depth <= 0) return String(this.#below(4));
    switch (this.#below(6)) {
      case 0:
        return `size(${this.string(d)})`;
      case 1:
        return `${this.list(d)}.size()`;
      case 2:
        return `int("${this.#below(20)}")`;
      case 3:
        return `-${this.int(d)}`.replace('--', '- -');
      default:
        return `(${this.int(d)} ${this.#one(['+', '-', '*', '/', '%'])} ${this.int(d)})`;
    }
  }

  list(depth: number): string {
    const d = depth - 1;
    if (depth <= 0) return this.#one(['["x", "GET"]', 'claims.l', 'request.headers.b.split(",")']);
    switch (this.#below(4)) {
      case 0:
        return `[${this.string(d)}, ${this.string(d)}]`;
      case 1:
        return this.#macro(d, ['filter']);
      case 2:
        return this.#macro(d, ['map']);
      default:
        return `${this.string(d)}.split(",")`;
    }
  }

  #macro(d: number, names: readonly string[]): string {
    const name = this.#one(names);
    const range = this.list(d);
    const variable = `v${this.#strings.length}`;
    this.#strings.push(variable);
    const body = name === 'map' ? this.string(d) : this.bool(d);
    this.#strings.pop();
    return `${range}.${name}(${variable}, ${body})`;
  }

  #one<T>(list: readonly T[]): T {
    return list[this.#below(list.length)]!;
  }
}

/** The result, or `error`. */
function outcome(evaluate: () => unknown): unknown {
  try {
    return evaluate();
  } catch (error) {
    assert.ok(error instanceof Error && !(error instanceof RangeError), String(error));
    return 'error';
  }
}

const CASES = 2000;

test('an expression has the result that cel-js gives it, folded or not', () => {
  const random = new Expressions(seededBelow(20_260_401));
  const exchange = exchangeOf(FACTS);
  const seen = { true: 0, false: 0, error: 0, refused: 0, constant: 0 };
  for (let i = 0; i < CASES; i++) {
    const source = random.bool(1 + (i % 4));
    const result = checkExpression(source, { reply: false });
    if (isProblem(result)) {
      // Refused by the type checker of cel-js, or failing for every request.
      if (!/fails for every request/.test(result.message))
        assert.not(oracle.check(source).valid, `${source}: ${result.message}`);
      seen.refused++;
      continue;
    }
    const expected = outcome(() => oracle.parse(source)(CONTEXT));
    const { code, patterns } = lowerExpression(oracle.parse(source).ast);
    const plain = outcome(() => condition({ source, code, patterns }).holds(exchange, undefined));
    const folded = outcome(() => condition(result.entry).holds(exchange, undefined));
    assert.is(plain, folded, `folded: ${source}`);
    assert.is(plain, typeof expected === 'boolean' ? expected : 'error', source);
    if (result.constant !== undefined) {
      assert.is(result.constant, plain, source);
      seen.constant++;
    }
    seen[String(plain) as 'true' | 'false' | 'error']++;
  }
  for (const count of Object.values(seen)) assert.ok(count > 20, JSON.stringify(seen));
});

test('an evaluation error is an ExpressionError, whatever the claims hold', () => {
  const random = new Expressions(seededBelow(7));
  const below = seededBelow(8);
  const values = [null, true, 0.5, 'text', [], ['x', 1], {}, { s: [] }, -1e300];
  for (let i = 0; i < 500; i++) {
    const source = random.bool(3);
    const result = checkExpression(source, { reply: false });
    if (isProblem(result)) continue;
    const some = () => values[below(values.length)]!;
    const claims = { n: some(), s: some(), l: some(), b: some(), deep: some() };
    try {
      condition(result.entry).holds(exchangeOf({ ...FACTS, claims }), undefined);
    } catch (error) {
      assert.ok(error instanceof ExpressionError, `${source}: ${error}`);
    }
  }
});

test.run();
