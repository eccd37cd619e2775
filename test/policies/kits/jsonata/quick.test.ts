/** Simple programs are evaluated without the library: with the result, the faults and the limits that it has. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type JsonValue, writeJsonText } from '../../../../src/policies/kits/json-text/index.js';
import { compileJsonata, JsonataFault, type JsonataLimits } from '../../../../src/policies/kits/jsonata/index.js';
import { HOST, programOf, valueOfText } from './support.js';

const NAMES = [
  'a',
  'b',
  'c',
  'then',
  '`__proto__`',
  'constructor',
  'length',
  'sequence',
  '_jsonata_lambda',
  '`[`',
  '`1`',
];
const VARIABLES = ['$', '$$', '$x', '$y', '$sum'];
const LITERALS = [
  '0',
  '1',
  '-1',
  '2.5',
  '0.1',
  '1e300',
  '"a"',
  '"["',
  '""',
  'true',
  'false',
  'null',
  '[]',
  '{}',
  `"${'ab'.repeat(50)}"`,
];
const OPERATORS = ['+', '-', '*', '/', '%', '&', '=', '!=', '<', '<=', '>', '>=', 'and', 'or'];

class Programs {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  random(): number {
    this.#state = (Math.imul(this.#state, 1103515245) + 12345) & 0x7fffffff;
    return this.#state / 0x80000000;
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.random() * list.length)]!;
  }

  #list(depth: number, between: string): string {
    return Array.from({ length: Math.floor(this.random() * 4) }, () => this.program(depth)).join(between);
  }

  program(depth: number): string {
    const leaf = [
      () => this.pick(NAMES),
      () => this.pick(NAMES),
      () => this.pick(VARIABLES),
      () => this.pick(LITERALS),
    ];
    if (depth <= 0) return this.pick(leaf)();
    const below = (): string => this.program(depth - 1 - Math.floor(this.random() * 2));
    const forms = [
      ...leaf,
      () => `${this.pick(NAMES)}.${this.pick(NAMES)}`,
      () => `${this.pick(VARIABLES)}.${this.pick(NAMES)}.${this.pick(NAMES)}`,
      () => `${this.pick(NAMES)}.${below()}`,
      () => `${below()}.${below()}`,
      () => `${this.pick(NAMES)}.(${below()})`,
      () =>
        `{"${this.pick(['a', 'b', '1', 'then', '__proto__'])}": ${below()}, "${this.pick(['c', '0', 'sequence'])}": ${below()}}`,
      () => `{"a": ${below()}, ${this.pick(['"a"', 'b', '"_jsonata_lambda"'])}: ${below()}}`,
      () => `[${this.#list(depth - 1, ', ')}]`,
      () => `(${this.#list(depth - 1, '; ')})`,
      () => `(${below()} ${this.pick(OPERATORS)} ${below()})`,
      () => `${below()} ${this.pick(OPERATORS)} ${below()}`,
      () => `(${below()} ? ${below()} : ${below()})`,
      () => `(${below()} ? ${below()})`,
      () => `-${below()}`,
      // What the library alone knows, now and then.
      () =>
        this.pick([
          `${below()}[0]`,
          `${below()}[]`,
          `$string(${below()})`,
          `${below()} ?? 1`,
          'a.*',
          `a#$i.b`,
          '(a := 1)',
        ]),
    ];
    return this.pick(forms)();
  }

  value(depth: number): JsonValue {
    const kind = Math.floor(this.random() * (depth > 0 ? 8 : 4));
    if (kind < 4) return this.pick<JsonValue>([0, 1, -2.5, 1 / 3, 'a', '', true, null, 'ab'.repeat(100), LONG]);
    const items = Array.from({ length: Math.floor(this.random() * 6) }, () => this.value(depth - 1));
    if (kind === 4) return items;
    return Object.fromEntries(items.map((item) => [this.pick(NAMES).replaceAll('`', ''), item]));
  }
}

const LONG = valueOfText('12345678901234567890');

type End = { readonly text: string | undefined } | { readonly fault: string };

async function endOf(work: () => JsonValue | undefined | Promise<JsonValue | undefined>): Promise<End> {
  try {
    const result = await work();
    return { text: result === undefined ? undefined : writeJsonText(result) };
  } catch (error) {
    assert.instance(error, JsonataFault);
    const { kind, message, position } = error as JsonataFault;
    return { fault: `${kind} ${message} ${position}` };
  }
}

test('the library has the same results', async () => {
  const { GW_FUZZ_SEED: seed = '1', GW_FUZZ_CASES: cases = '3000' } = process.env;
  const programs = new Programs(Number(seed));
  let quick = 0;
  for (let round = 0; round < Number(cases); round++) {
    const source = programs.program(4);
    const program = compileJsonata(source);
    if ('error' in program) continue;
    const input = programs.value(4);
    const bindings = programs.random() < 0.7 ? { x: programs.value(3), y: programs.value(2) } : {};
    const limits: Partial<JsonataLimits> = programs.pick<Partial<JsonataLimits>>([
      {},
      {},
      { steps: Math.floor(programs.random() * 60) },
      { size: Math.floor(programs.random() * 300) },
      { items: Math.floor(programs.random() * 6) },
      { depth: Math.floor(programs.random() * 20) },
    ]);
    const made = program.run(input, bindings, HOST, limits);
    if (!(made instanceof Promise)) quick++;
    const found = await endOf(() => made);
    const expected = await endOf(() => program.interpret(input, bindings, HOST, limits));
    const where = `${source} of ${writeJsonText(input)} with ${writeJsonText(bindings)} and ${JSON.stringify(limits)}`;
    assert.equal(found, expected, where);
  }
  assert.ok(quick > Number(cases) / 4, `${quick} of ${cases}`);
});

test('common programs need no promise', () => {
  const input = valueOfText('{"name":"a","price":1.5,"tags":["x"],"lines":[{"n":1},{"n":2,"m":[3,4]}],"by":{"id":7}}');
  const cases: readonly (readonly [string, string])[] = [
    ['{ "name": name, "price": price * 2 }', '{"name":"a","price":3}'],
    ['{ "id": by.id, "none": by.name, "tags": tags }', '{"id":7,"tags":["x"]}'],
    ['lines.{ "n": n, "more": [n, m] }', '[{"n":1,"more":[1]},{"n":2,"more":[2,3,4]}]'],
    ['[lines.m, by.id > 3 ? $x & "!" : 0, -price, null]', '[3,4,"y!",-1.5,null]'],
    ['lines.m', '[3,4]'],
    ['price = 1.5 and name != "b"', 'true'],
  ];
  for (const [source, expected] of cases) {
    const result = programOf(source).run(input, { x: 'y' }, HOST);
    assert.not.instance(result, Promise, source);
    assert.is(writeJsonText(result as JsonValue), expected, source);
  }
});

test('what is not simple is evaluated by the library', async () => {
  for (const source of ['$sum(a)', 'a[0]', 'a.b', '-a', 'a & 1']) {
    const result = programOf(source).run(valueOfText('{"a":[[1]]}'), {}, HOST);
    assert.instance(result, Promise, source);
    await endOf(async () => await result);
  }
});

test.run();
