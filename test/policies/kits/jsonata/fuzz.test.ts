/** Random programs over random data: each ends in a result or a JsonataFault within its budget, and changes nothing else. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { JsonValue } from '../../../../src/policies/kits/json-text/index.js';
import { FUNCTION_NAMES } from '../../../../src/policies/kits/jsonata/builtins.js';
import { compileJsonata, JsonataFault } from '../../../../src/policies/kits/jsonata/index.js';
import { HOST } from './support.js';

/** Names that mean something to JavaScript, to promises or to the library, among others. */
const NAMES = [
  'a',
  'b',
  'then',
  '`__proto__`',
  'constructor',
  'length',
  'tupleStream',
  'sequence',
  '_jsonata_lambda',
  'x',
];
const VARIABLES = ['$', '$$', '$x', '$y', '$then', '$f', '$g', '$request'];
const FUNCTIONS = FUNCTION_NAMES.map((name) => `$${name}`);

class Programs {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  random(): number {
    this.#state = (Math.imul(this.#state, 1103515245) + 12345) & 0x7fffffff;
    return this.#state / 0x80000000;
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.random() * list.length)]!;
  }

  #list(depth: number, between: string, most = 3): string {
    return Array.from({ length: Math.floor(this.random() * (most + 1)) }, () => this.program(depth)).join(between);
  }

  program(depth: number): string {
    const leaf = [
      () => this.#pick(NAMES),
      () => this.#pick(VARIABLES),
      () => this.#pick(FUNCTIONS),
      () =>
        this.#pick(['0', '1', '-1', '2.5', '1e300', '"a"', '"then"', '""', 'true', 'null', '[]', '{}', '*', '**', '%']),
    ];
    if (depth <= 0) return this.#pick(leaf)();
    const below = (): string => this.program(depth - 1 - Math.floor(this.random() * 2));
    const forms = [
      ...leaf,
      () => `${below()}.${below()}`,
      () => `${below()}[${below()}]`,
      () => `${below()}{${below()}: ${below()}}`,
      () => `{${below()}: ${below()}, ${below()}: ${below()}}`,
      () => `{"${this.#pick(['then', 'a', 'length', '__proto__', 'tupleStream'])}": ${below()}}`,
      () => `[${this.#list(depth - 1, ', ')}]`,
      () => `(${this.#list(depth - 1, '; ')})`,
      () =>
        `${below()} ${this.#pick(['+', '&', '=', '<', 'and', 'or', 'in', '..', '??', '?:', '~>', '*', '%'])} ${below()}`,
      () => `(${this.#pick(['$x', '$y', '$f', '$g'])} := ${below()}; ${below()})`,
      () => `function($x, $y){ ${below()} }`,
      () => `($f := function($x){ ${below()} }; $f(${below()}))`,
      () => `${this.#pick([...FUNCTIONS, '$f', '$g', below()])}(${this.#list(depth - 1, ', ')})`,
      () => `${this.#pick([...FUNCTIONS, '$f'])}(?, ${below()})`,
      () =>
        `$${this.#pick(['map', 'filter', 'reduce', 'sift', 'each', 'sort'])}(${below()}, function($x, $y){ ${below()} })`,
      () => `${below()} ? ${below()} : ${below()}`,
      () => `${below()}^(${this.#pick(['', '<', '>'])}${below()})`,
      () => `${below()}@$x.${below()}`,
      () => `${below()}#$y.${below()}`,
      () => `(${below()} ~> |${below()}|${below()}|)`,
      () => `(${below()} ~> |${below()}|{${below()}: ${below()}}, ${below()}|)`,
      () =>
        `$${this.#pick(['match', 'replace', 'split', 'contains'])}(${below()}, /${this.#pick(['a', '(a|b)*', '.', 'x?', '^'])}/, ${below()})`,
      () => `-${below()}`,
      () => `$pad(${below()}, ${this.#pick(['5', '-1e9', '1e5'])})`,
      () => `[0..${this.#pick(['5', '1e4', '1e9'])}]`,
    ];
    return this.#pick(forms)();
  }

  value(depth: number): JsonValue {
    const kind = Math.floor(this.random() * (depth > 0 ? 8 : 5));
    if (kind < 5) return this.#pick<JsonValue>([0, 1, -2.5, 'a', 'then', '', true, null, 'ab'.repeat(500)]);
    const items = Array.from({ length: Math.floor(this.random() * 5) }, () => this.value(depth - 1));
    if (kind === 5) return items;
    return Object.fromEntries(items.map((item) => [this.#pick(NAMES).replaceAll('`', ''), item]));
  }
}

test('random programs', async () => {
  const { GW_FUZZ_SEED: seed = '1', GW_FUZZ_CASES: cases = '1500' } = process.env;
  const programs = new Programs(Number(seed));
  const ends = new Map<string, number>();
  const count = (end: string): unknown => ends.set(end, (ends.get(end) ?? 0) + 1);
  for (let round = 0; round < Number(cases); round++) {
    const source = programs.program(5);
    const program = compileJsonata(source);
    const input = programs.value(4);
    if ('error' in program) {
      count('compile');
      assert.ok(program.start <= program.end && program.end <= source.length, source);
      continue;
    }
    const before = JSON.stringify(input);
    const start = process.cpuUsage();
    try {
      JSON.stringify(await program.evaluate(input, { request: input, x: input }, HOST, { steps: 5000 }));
      count('result');
    } catch (error) {
      assert.instance(error, JsonataFault, source);
      count((error as JsonataFault).kind);
    }
    const { user, system } = process.cpuUsage(start);
    assert.ok(user + system < 1_500_000, `${user + system} microseconds of CPU: ${source}`);
    assert.is(JSON.stringify(input), before, source);
  }
  // Rejections that nothing handles would come now.
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok((ends.get('result') ?? 0) > Number(cases) / 10, JSON.stringify([...ends]));
  assert.ok((ends.get('error') ?? 0) > Number(cases) / 20, JSON.stringify([...ends]));
});

test.run();
