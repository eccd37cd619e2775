import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FUNCTION_NAMES } from '../../../../src/policies/kits/jsonata/builtins.js';
import { compileJsonata, type JsonataError } from '../../../../src/policies/kits/jsonata/index.js';
import { evaluate, faultOf, HOST, programOf, textOf, valueOfText } from './support.js';

const ORDER = `{"id":7,"customer":{"name":"Ada","address":{"city":"Turin"}},"note":"ten boxes",
  "items":[{"sku":"a-1","price":2.5,"count":4},{"sku":"b-2","price":10,"count":1}]}`;

const RESULTS: readonly [source: string, result: string | undefined][] = [
  ['customer.address.city', '"Turin"'],
  ['{"total": $sum(items.(price * count)), "skus": items.sku}', '{"total":20,"skus":["a-1","b-2"]}'],
  ['items^(>price).sku', '["b-2","a-1"]'],
  ['items[price > 5].sku', '"b-2"'],
  ['items[].sku', '["a-1","b-2"]'],
  ['items[0].sku[]', '["a-1"]'],
  ['nothing', undefined],
  ['items{sku: count}', '{"a-1":4,"b-2":1}'],
  ['$map(items, function($item, $at){ $at & ":" & $item.sku })', '["0:a-1","1:b-2"]'],
  ['items@$i#$at.{"sku": $i.sku, "at": $at}', '[{"sku":"a-1","at":0},{"sku":"b-2","at":1}]'],
  ['items.sku.%.%.id', '[7,7]'],
  ['($ ~> |items[0]|{"price": 3}, ["count"]|).items[0]', '{"sku":"a-1","price":3}'],
  ['$sort(items, function($a, $b){ $a.count > $b.count }).sku', '["b-2","a-1"]'],
  ['$sort([3,1,2])', '[1,2,3]'],
  ['$sort(["b","a"])', '["a","b"]'],
  ['$distinct([1,"1",{"a":1,"b":[2]},{"b":[2],"a":1},1,null,null])', '[1,"1",{"a":1,"b":[2]},null]'],
  ['$max([3,9,1]) - $min([3,9,1])', '8'],
  ['$match("ab12cd3", /([a-z]+)([0-9]+)/)[1].groups', '["cd","3"]'],
  ['$replace("a1b22", /[0-9]+/, "<$0>")', '"a<1>b<22>"'],
  ['$replace("a.b.c", ".", "-", 1)', '"a-b.c"'],
  ['$replace("abc", /b/, function($m){ $uppercase($m.match) })', '"aBc"'],
  [
    '($m := function($t, $o){ $o < 2 ? {"match": "x", "start": $o, "end": $o + 1, "groups": [], "next": function(){ $m($t, $o + 1) }} };' +
      ' $replace("xxx", function($t){ $m($t, 0) }, "<$0>"))',
    '"<x><x>x"',
  ],
  ['{"then": 1, "f": function($x){ $x }}.f(2)', '2'],
  ['$split("a, b;c", /[,;] ?/)', '["a","b","c"]'],
  ['$contains("ABC", /b/i)', 'true'],
  ['$match("\\u00e9\\n", /\\u00e9$/m).match', '"é"'],
  ['$pad("x", -3, "0")', '"00x"'],
  ['$now()', '"2023-11-14T22:13:20.000Z"'],
  ['$now("[Y0001]")', '"2023"'],
  ['$millis()', '1700000000000'],
  ['$random()', '0.25'],
  ['$shuffle([1,2,3,4])', '[4,3,1,2]'],
  ['$toMillis("20240131", "[Y0001][M01][D01]")', '1706659200000'],
  ['$toMillis("31. January 2024, 7:05am", "[D]. [MNn] [Y0001], [h]:[m01][P]")', '1706684700000'],
  [
    '$toMillis("2024-01-31T07:05:06.789+01:00", "[Y0001]-[M01]-[D01]T[H01]:[m01]:[s01].[f001][Z01:01]")',
    '1706681106789',
  ],
  ['$toMillis("twenty-first/March/2024", "[Dwo]/[MNn]/[Y]")', '1710979200000'],
  ['$fromMillis(0, "[D]/[M]/[Y]")', '"1/1/1970"'],
  ['($add := function($a, $b){ $a + $b }; $two := $add(2, ?); $two(3))', '5'],
  ['($left := $substring(?, 0, 3); $left(note))', '"ten"'],
  ['($f := $uppercase ~> $trim; $f(" a "))', '"A"'],
  ['($f := function($n){ $n < 2 ? 1 : $n * $f($n - 1) }; $f(10))', '3628800'],
  ['$reduce([1..5], function($a, $b){ $a + $b })', '15'],
  ['[$boolean([0, 1]), $boolean({}), $not(""), $not([[0], [0]])]', '[true,false,true,true]'],
  ['$contains("a\u0001\nb", /^a\\cA[^]b$/)', 'true'],
  ['$replace("aaa", /a/, "b", 2)', '"bba"'],
  ['$match("abcabc", /(b)|(c)/).groups', '["b",null,null,"c","b",null,null,"c"]'],
  ['$keys(customer)', '["name","address"]'],
  ['$merge([{"a":1},{"b":2}])', '{"a":1,"b":2}'],
  ['$spread({"a":1,"b":2})', '[{"a":1},{"b":2}]'],
  ['$sift(customer, function($v, $k){ $k = "name" })', '{"name":"Ada"}'],
  ['$each(customer.address, function($v, $k){ $k & "=" & $v })', '"city=Turin"'],
  ['$filter([1,2,3], function($n){ $n > 1 })', '[2,3]'],
  ['$single([1,2,3], function($n){ $n = 2 })', '2'],
  ['$zip([1,2],[3,4])', '[[1,3],[2,4]]'],
  ['$clone(customer).name', '"Ada"'],
  ['$string({"a":[1,"x"]})', '"{\\"a\\":[1,\\"x\\"]}"'],
  ['$count(**)', '15'],
  ['*.name', '"Ada"'],
  ['nothing ?? "default"', '"default"'],
  // The parser of the library loses what is not JSON in the copy of the left side.
  ['$match(note, /[a-z]+/)[0].match ?? "none"', '"ten"'],
  ['$match(note, /[0-9]+/)[0].match ?: "none"', '"none"'],
  ['$map(items.count, function($n)<n:n>{ $n + 1 }) ?: 0', '[5,2]'],
];

for (const [source, result] of RESULTS) {
  test(`${source} is ${result}`, async () => {
    assert.is(await textOf(source, { input: ORDER }), result);
  });
}

test('results are the same as without bounds', async () => {
  const jsonata = createRequire(import.meta.url)('jsonata') as (source: string) => {
    evaluate(input: unknown): Promise<unknown>;
  };
  for (const [source] of RESULTS) {
    if (/now|millis\(|random|shuffle|\/m\)|\?[?:]/.test(source)) continue;
    const expected = await jsonata(source).evaluate(JSON.parse(ORDER));
    assert.is(
      await textOf(source, { input: ORDER }),
      expected === undefined ? undefined : JSON.stringify(expected),
      source,
    );
  }
});

const ERRORS: readonly [source: string, at: string, error: RegExp][] = [
  ['', '', /empty/],
  ['a.b + ', ' ', /end of expression/],
  ['a.[', '[', /end of expression/],
  ['a ] b', ']', /Syntax error/],
  ['{"a": $eval("1")}', '$eval', /not available/],
  ['$contains(x, /(a)\\1/)', '/(a)\\1/', /linear time/],
  ['list@$then[0]', 't', /another name/],
  ['$contains(x, /a**b/)', '/a**b/', /not valid: Nothing to repeat/],
  ['$contains(x, /a(?=b)/i)', '/a(?=b)/i', /linear time/],
  ['$contains(x, /(a{1,500}){1,500}/)', '/(a{1,500}){1,500}/', /linear time/],
  ['function($a)<a+s+:s>{ $a }', '(', /signature/],
  ['a + $requst.path', '$requst', /neither bound nor a function.*`\$request`/],
  ['($request := 1)', '$request', /bind another name/],
];

for (const [source, at, error] of ERRORS) {
  test(`located error: ${source}`, () => {
    const found = compileJsonata(source, { bindings: ['request'] }) as JsonataError;
    assert.match(found.error, error);
    assert.is(source.slice(found.start, found.end), at);
  });
}

test('programs that exhaust the parser are errors', () => {
  assert.match((compileJsonata(`${'('.repeat(40)}a${'??b)'.repeat(40)}`) as JsonataError).error, /nested/);
  assert.not.ok('error' in compileJsonata(Array.from({ length: 50 }, (_, at) => `a.b${at}`).join('??')));
  for (const source of ['('.repeat(20_000), `${'['.repeat(5000)}1${']'.repeat(5000)}`, 'x'.repeat(70_000)])
    assert.ok('error' in compileJsonata(source), source.slice(0, 10));
});

const READS: readonly [source: string, bindings: string[], names: string[], whole?: true][] = [
  ['a.b & $request.headers.host', ['request.headers.host'], ['a']],
  ['$.a + $$.b', [], ['a', 'b']],
  ['$', [], [], true],
  ['items.{"x": $, "y": sku}', [], ['items']],
  ['items[sku = $params.id].price', ['params.id'], ['items']],
  ['$keys()', [], [], true],
  ['$keys($claims)', ['claims'], []],
  ['$lookup($claims, "sub")', ['claims'], []],
  ['**.x', [], [], true],
  ['items.%.x', [], ['items'], true],
  ['($x := $user.id; $x + $y)', ['user.id', 'y'], []],
  ['$map(list, function($v){ $v.a & other & $v2 })', ['v2'], ['list', 'other']],
  ['items@$i#$n.other[id = $i.id].$n', [], ['items', 'other']],
  ['$users[active].name', ['users'], []],
  ['$a ?? $b ?? c', ['a', 'b'], ['c']],
  ['list^(price, $k).x', ['k'], ['list']],
  ['x ~> |a|{"b": c, "d": $u}|', ['u'], ['x']],
  ['user{name: $v}', ['v'], ['user']],
  ['{"a": {"b": [first, $second]}}', ['second'], ['first']],
  ['/x/ ~> $f', ['f'], []],
];

for (const [source, bindings, names, whole = false] of READS) {
  test(`reads of ${source}`, () => {
    const { reads } = programOf(source);
    assert.equal(
      reads.bindings.map(({ name, path }) => [name, ...path].join('.')),
      bindings,
    );
    for (const { name, start, end } of reads.bindings) assert.is(source.slice(start, end), `$${name}`);
    assert.equal(reads.names, names);
    assert.is(reads.whole, whole);
  });
}

test('variables are bound by name; those that are not given are undefined', async () => {
  const bindings = { request: { path: '/x' } };
  assert.is(await textOf('$request.path', { bindings }), '"/x"');
  assert.is(await textOf('$exists($consumer)', { bindings }), 'false');
});

test('wide programs and many groups are not deep', async () => {
  const wide = `{${Array.from({ length: 500 }, (_, at) => `"f${at}": $uppercase(a.b)`).join(',')}}`;
  assert.is(Object.keys((await evaluate(wide, { input: '{"a":{"b":"x"}}' })) as object).length, 500);
  const groups = await evaluate('$map([1..2000], function($n){ {"id": $string($n)} }){id: $count($)}');
  assert.is(Object.keys(groups as object).length, 2000);
});

test('evaluations of one program at the same time do not mix', async () => {
  const program = programOf('$map([1..50], function($n){ $n + x + $y })');
  const sums = await Promise.all([1, 2, 3].map((x) => program.evaluate({ x }, { y: x * 1000 }, HOST)));
  assert.equal(
    sums.map((list) => (list as number[])[0]),
    [1002, 2003, 3004],
  );
});

const LONG = '{"id":9223372036854775807,"n":5,"user":{"ref":12345678901234567890,"rate":0.12345678901234567891}}';

const DIGITS: readonly [source: string, result: string][] = [
  ['$', LONG],
  ['id', '9223372036854775807'],
  ['{"id": id, "rate": user.rate}', '{"id":9223372036854775807,"rate":0.12345678901234567891}'],
  ['user', '{"ref":12345678901234567890,"rate":0.12345678901234567891}'],
  ['$merge([user, {"n": n}])', '{"ref":12345678901234567890,"rate":0.12345678901234567891,"n":5}'],
  ['$type(id)', '"string"'],
  ['id = "9223372036854775807"', 'true'],
  ['$string(id)', '"9223372036854775807"'],
  ['id & "!"', '"9223372036854775807!"'],
  ['$ ~> |user|{"n": $$.id}|', LONG.replace('}}', ',"n":9223372036854775807}}')],
  ['user.rate * 0', '0'],
];

for (const [source, result] of DIGITS) {
  test(`digits are kept: ${source}`, async () => {
    assert.is(await textOf(source, { input: LONG }), result);
  });
}

test('a string of the input that has the digits of a number stays a string', async () => {
  const input = '{"n":12345678901234567890,"s":"12345678901234567890"}';
  assert.is(await textOf('{"s": s}', { input }), '{"s":"12345678901234567890"}');
  assert.is(await textOf('$', { input }), input);
});

test('decimals of the input that are the same double are not taken for each other', async () => {
  const two = '{"a":0.10000000000000000001,"b":0.10000000000000000002}';
  assert.is(await textOf('{"a": a, "b": b}', { input: two }), '{"a":0.1,"b":0.1}');
  assert.is(await textOf('$', { input: two }), two);
  const plain = '{"a":0.10000000000000000001,"b":0.1}';
  assert.is(await textOf('{"b": b}', { input: plain }), '{"b":0.1}');
  assert.is(await textOf('{"n": n}', { input: '{"n":1e999}' }), '{"n":1e999}');
});

test('digits of variables are kept', async () => {
  const bindings = { user: valueOfText(LONG) };
  assert.is(await textOf('{"id": $user.id}', { bindings }), '{"id":9223372036854775807}');
});

test('inherited members do not exist', async () => {
  for (const source of [
    '$lookup(x, "constructor")',
    '$lookup(x, "__proto__")',
    'x.toString',
    'x.hasOwnProperty',
    '$lookup({}, "__proto__")',
  ])
    assert.is(await textOf(source, { input: '{"x":{"a":1}}' }), undefined, source);
});

test('__proto__ is a name like others', async () => {
  const input = '{"x":{"__proto__":{"admin":true}}}';
  assert.is(await textOf('x.admin', { input }), undefined);
  assert.is(await textOf('x', { input }), '{"__proto__":{"admin":true}}');
  assert.is(await textOf('{"__proto__": {"admin": true}}.admin'), undefined);
  assert.is(await textOf('({} ~> |$|{"__proto__": {"admin": true}}|).admin'), undefined);
  assert.is(({} as { admin?: boolean }).admin, undefined);
});

test('marks of the library in data have no meaning', async () => {
  const input =
    '{"x":{"tupleStream":true,"@":1,"consumer":{"name":"forged"},"_jsonata_lambda":true,"outerWrapper":true}}';
  const bindings = { consumer: { name: 'true one' } };
  assert.is(await textOf('x{"name": $consumer.name}', { input, bindings }), '{"name":"true one"}');
  assert.is(await textOf('x', { input }), input.slice(5, -1));
  assert.is(await textOf('x.tupleStream', { input }), 'true');
  assert.is(await textOf('{"tupleStream": 1}'), '{"tupleStream":1}');
  assert.is(await textOf('$type(x)', { input }), '"object"');
  assert.match((await faultOf('{k: 1}', { input: '{"k":"tupleStream"}' })).message, /tupleStream/);
});

test('input and variables are not changed', async () => {
  const input = { list: [] as number[], table: { a: 1 }, deep: { b: [1, 2] } };
  const bindings = { v: { list: [] as number[], table: { a: 1 } } };
  const before = JSON.stringify([input, bindings]);
  for (const source of [
    '$ ~> |table|{"a": 2}|',
    'list{"x": 1}',
    '$v.list{"x": 1}',
    '$v ~> |table|{"a": 2}, ["a"]|',
    'deep.b[]',
    '$append(list, 1)',
    '$sort(deep.b, function($a, $b){ $a < $b })',
  ]) {
    await programOf(source).evaluate(input, bindings, HOST);
    assert.is(JSON.stringify([input, bindings]), before, source);
  }
});

test('messages of faults contain no values of the input, because they go to logs', async () => {
  const input = '{"s":"secret","n":4711,"o":{"a":["secret"]},"secret":[1,2]}';
  for (const [source, message] of [
    ['$number(s)', 'Unable to cast value to a number: a string'],
    ['s > n', 'The values a string and a number either side of operator ">" must be of the same data type'],
    ['-s', 'Cannot negate a non-numeric value: a string'],
    ['{o: 1}', 'Key in object structure must evaluate to a string; got: an object'],
    ['$sqrt(-n)', 'The sqrt function cannot be applied to a negative number: a number'],
    ['$toMillis(s)', 'The argument of the toMillis function must be an ISO 8601 formatted timestamp. Given a string'],
    ['$formatNumber(n, s)', undefined],
    ['$fromMillis(n, "[Z" & s & "]")', undefined],
    ['s(1)', undefined],
    ['o + 1', undefined],
    ['$map(s, n)', undefined],
    ['[s, n]^($)', undefined],
  ] as const) {
    const fault = await faultOf(source, { input }).catch(() => undefined);
    if (message !== undefined) assert.is(fault?.message, message);
    assert.not.match(fault?.message ?? '', /secret|4711/, source);
  }
});

test('a failed program is a fault with the place', async () => {
  const fault = await faultOf('{"a": 1 + x}', { input: '{"x":"one"}' });
  assert.is(fault.kind, 'error');
  assert.is(fault.position, 9);
  assert.match(fault.message, /right side of the "\+" operator/);
  assert.match((await faultOf('$error("no stock")')).message, /no stock/);
  assert.match((await faultOf('1 / 0')).message, /finite/);
  assert.match((await faultOf('$sort([2, "a"])')).message, /all must be strings/);
  assert.match((await faultOf('$toMillis($pad("1", 200, "1"), "[Y]")')).message, /128/);
  assert.is((await faultOf('$error($pad("", 2000, "x"))')).message.length, 503);
  assert.match((await faultOf('function($x){ $x }')).message, /function/);
  assert.match((await faultOf('{"f": $sum}')).message, /function/);
});

test('every function of the library is bounded', () => {
  const file = createRequire(import.meta.url).resolve('jsonata');
  const bound = [
    ...readFileSync(file, 'utf8').matchAll(/(?:staticFrame|environment)\.bind\('(\w+)', defineFunction/g),
  ].map(([, name]) => name);
  assert.equal([...new Set(bound)].sort(), [...FUNCTION_NAMES, 'eval'].sort());
});

test('undefined input', async () => {
  assert.is(await programOf('1 + 1').evaluate(undefined, {}, HOST), 2);
  assert.is(await evaluate('a'), undefined);
});

test.run();
