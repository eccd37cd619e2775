/** Programs and data that are made to exhaust an evaluator. Each ends within its budget, with a fault or a small result. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { JsonataFault, JsonataFaultKind } from '../../../../src/policies/kits/jsonata/index.js';
import { settled } from '../../../../src/policies/kits/jsonata/program.js';
import { evaluate, faultOf, HOST, programOf } from './support.js';

const INPUT = JSON.stringify({
  list: Array.from({ length: 5000 }, (_, id) => ({ id, price: id % 97, tags: ['a', 'b'], name: `n${id}` })),
  nums: Array.from({ length: 10_000 }, (_, at) => at),
  text: 'ab'.repeat(100_000),
});

const FAULTS: readonly [source: string, ...kinds: JsonataFaultKind[]][] = [
  // Recursion.
  ['($f := function($n){ $f($n + 1) }; $f(0))', 'steps'],
  ['($f := function($n){ 1 + $f($n + 1) }; $f(0))', 'depth', 'steps'],
  ['($f := function($n){ [$f($n + 1), $f($n + 1)] }; $f(0))', 'depth'],
  ['($f := function($n){ $n < 2 ? 1 : $f($n - 1) + $f($n - 2) }; $f(50))', 'steps'],
  ['($f := function($n){ $n = 0 ? 1 : {"a": $f($n - 1), "b": $f($n - 1)} }; $f(40))', 'depth', 'steps'],
  ['($y := function($g){ $g($g) }; $y(function($h){ $h($h) }))', 'steps'],
  // Long arrays.
  ['[1..1000000000]', 'size'],
  ['[1..10000000]', 'size'],
  ['[1..20000].[1..20000]', 'steps'],
  ['$map([1..10000], function($i){ $map([1..10000], function($j){ $i * $j }) })', 'steps'],
  ['$zip(nums, nums, nums)', 'size'],
  ['$append(nums, $append(nums, nums))', 'size'],
  ['list@$a.list@$b.($a.id + $b.id)', 'steps', 'size'],
  ['**.**.**', 'steps', 'size'],
  ['$spread(list)', 'steps'],
  ['list^(price)', 'steps'],
  ['$sort(nums, function($a, $b){ $a < $b })', 'steps'],
  ['$reduce([1..10000], function($a, $b){ $append($a, $b) }, [])', 'steps'],
  // Long strings.
  ['$pad("x", 1000000000)', 'size'],
  ['$pad("x", -1000000000000000, "ab")', 'size'],
  ['$reduce([1..100], function($a, $b){ $a & $a }, "xxxxxxxxxx")', 'steps', 'size'],
  ['$replace(text, "a", text)', 'size'],
  ['$replace(text, "", text)', 'error'],
  ['$replace(text, /(a)(b)/, $pad("", 30000, "$0"))', 'steps', 'size'],
  ['$replace(text, /a/, function($m){ $$.text })', 'steps', 'size'],
  ['$join($map([1..1000], function($i){ $$.text }))', 'size', 'steps'],
  ['$join(nums.$string($), text)', 'size', 'steps'],
  ['$split(text, "")', 'size', 'steps'],
  ['$map([1..1000], function($i){ $length($$.text) })', 'steps'],
  ['$map([1..1000], function($i){ $uppercase($$.text) })', 'steps'],
  ['$map(list, function($x){ $string($$) })', 'steps'],
  ['list.($ & $$)', 'steps'],
  // Few objects that are many values when they are written or compared.
  ['$string($reduce([1..30], function($a, $b){ [[$a], [$a]] }, [1]))', 'size'],
  ['$reduce([1..30], function($a, $b){ {"l": $a, "r": $a} }, 1) = 1', 'size'],
  ['$boolean($reduce([1..40], function($a, $b){ [[$a], [$a]] }, [0]))', 'size'],
  ['$filter([1..1000], function($x){ $$.nums })', 'steps'],
  ['nums[$$.list = $$.list]', 'steps'],
  ['nums[$ in $$.nums]', 'steps'],
  ['$map([1..1000], function($i){ $distinct($$.nums) })', 'steps'],
  ['$map([1..1000], function($i){ $sum($$.nums) })', 'steps'],
  // Deep values.
  ['$reduce([1..10000], function($a, $b){ {"x": $a} }, {})', 'depth'],
  ['$reduce([1..10000], function($a, $b){ [[$a]] }, 1)', 'depth'],
  // Transforms, which change their copy: objects within themselves, and many times in each other.
  ['{"a": 1} ~> |$|{"x": $}|', 'depth', 'size'],
  ['$ ~> |list|{"l": $, "r": $}|', 'depth', 'size', 'steps'],
  ['$ ~> |list|{"all": $$.list}|', 'steps', 'size'],
  ['($p := 1; $ ~> |list|{"l": $p, "r": $p, "p": ($q := $; 1)}|; $p := $q)', 'steps', 'size', 'depth'],
  // Regular expressions.
  ['$match(text, /a.*c|a/)', 'steps'],
  ['$contains(text, /(.*)(.*)(.*)(.*)(.*)Z/)', 'steps'],
  ['$count($match(text, /./))', 'steps', 'size'],
  ['$match("aaa", /x*/)', 'error'],
  // Pictures.
  ['$toMillis("1111111111111111111111111111111111111111111x", "[Y]1[M]1[D]1[H]1[m]1[s]")', 'error'],
  ['$toMillis("1111111111111111111111111111111111111111111x", "[f][f][f][f][f][f][f]")', 'error'],
  ['$toMillis("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1", "[MN][FN][P][P][MN][FN]")', 'error'],
  ['$toMillis("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1", "[Da][MN][Da][MI][Di][Da]")', 'error'],
  ['$toMillis("+11111111111111111111111111111111111111111111x", "[Z][f][H#]")', 'error'],
  ['$toMillis("                                            x", "[Dw] [Mw] [Yw] [Hw] [mw]")', 'error'],
  ['$fromMillis(0, $pad("[Y]", 100000, "[Y]"))', 'error'],
  ['$formatNumber(1.5, $pad("#", 100000, "#"))', 'error'],
  ['$formatInteger(1000000000000000, "I")', 'depth'],
  ['$parseInteger(text, "w")', 'error'],
  // Objects that a promise would wait for.
  ['{"then": /a/}', 'error'],
  ['($g := function($h){ {"then": $h} }; $g(function($a){ 1 }))', 'error'],
  ['($g := function($h){ {"then": $h} }; $g($sum))', 'error'],
  ['$map([1, 2], function($x){ {"then": /a/} })', 'error'],
  ['{"then": ($r := /a/; [$r][0])}', 'error'],
  ['($g := function($h){ $h@$x[0] }; $g($sum))', 'error'],
  ['{"then": $map([1], function($x){ /a/ })}', 'error'],
  ['({"a": 1}){"then": /a/}', 'error'],
  ['{"a": 1} ~> |$|{"then": /a/}|', 'error'],
  // Arrays of any length.
  ['{"l": [[1], [2]]} ~> |l|{"length": 4000000000}|', 'error'],
  ['{"o": {"l": [[1]]}} ~> |[$, o.l, o]|{"length": 4000000000, "p": $p := $, "x": $p.**}|', 'error', 'depth'],
  // What is not there.
  ['nothing()', 'error'],
  ['$nothing(1)', 'error'],
];

for (const [source, ...kinds] of FAULTS) {
  test(`ends in ${kinds.join(' or ')}: ${source}`, async () => {
    const start = process.cpuUsage();
    const { kind, message } = await faultOf(source, { input: INPUT });
    const { user, system } = process.cpuUsage(start);
    assert.ok(user + system < 2_000_000, `${user + system} microseconds of CPU`);
    assert.ok(kinds.includes(kind), `${kind}: ${message}`);
  });
}

const FINE: readonly string[] = [
  '$distinct(nums)',
  '$sort(nums)',
  '$max(nums)',
  '$contains(text, /(x+x+)+y/)',
  '$contains(text, /(a+)+$/)',
  '$count($map([1..5000], $string))',
  '($f := $substring(?, 0, 1); $f(text))',
  '$keys(list)',
  '$toMillis("1111111111111111111111111111111111111111111x", "[Y][M][D][H][m][s][f]")',
  '$toMillis("1111111111-111111111-111111111-11111111x", "[Y]-[M]-[D]-[H]-[m]-[s]")',
  'list = list',
];

for (const source of FINE) {
  test(`within the budget: ${source}`, async () => {
    await evaluate(source, { input: INPUT });
  });
}

test('wall time is bounded by the clock of the host', async () => {
  let time = 0;
  const host = { clock: { now: () => 0, monotonic: () => time++ }, random: () => 0 };
  const fault = await faultOf('$map([1..5000], function($n){ $n + 1 })', { host, limits: { time: 10 } });
  assert.is(fault.kind, 'time');
});

test('recursion that is not at the end of a function', async () => {
  const { kind } = await faultOf('($f := function($n){ 1 + $f($n + 1) }; $f(0))', { limits: { steps: 1e6 } });
  assert.is(kind, 'depth');
});

test('smaller limits are kept', async () => {
  assert.is((await faultOf('1 + 1', { limits: { steps: 2 } })).kind, 'steps');
  assert.is((await faultOf('[1..11]', { limits: { items: 10 } })).kind, 'size');
  assert.is((await faultOf('$pad("", 11)', { limits: { size: 10 } })).kind, 'size');
  assert.is((await faultOf('"12345678901" & ""', { limits: { size: 10 } })).kind, 'size');
  assert.is((await faultOf('(((((1)))))', { limits: { depth: 3 } })).kind, 'depth');
});

test('branches that run side by side stop when one fails', async () => {
  const steps: number[] = [];
  const host = { clock: HOST.clock, random: () => steps.push(0) / 1e9 };
  const fault: JsonataFault = await faultOf('[$error("x"), $map([1..1000], function($n){ $random() })]', { host });
  assert.match(fault.message, /x/);
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(steps.length < 100, String(steps.length));
});

test('an evaluation that never settles is a fault', async () => {
  assert.is(await settled(Promise.resolve(1)), 1);
  try {
    await settled(new Promise(() => undefined));
    assert.unreachable();
  } catch (error) {
    assert.is((error as JsonataFault).kind, 'error');
  }
});

test('a fault of one evaluation does not affect others of the program', async () => {
  const program = programOf('$map([1..n], function($i){ $i + $i + $i })');
  const results = await Promise.allSettled([
    program.evaluate({ n: 20_000 }, {}, HOST),
    program.evaluate({ n: 3 }, {}, HOST),
    program.evaluate({ n: 1e9 }, {}, HOST),
  ]);
  assert.equal(
    results.map(({ status }) => status),
    ['rejected', 'fulfilled', 'rejected'],
  );
});

test.run();
