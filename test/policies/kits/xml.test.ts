import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type JsonValue, LongNumber } from '../../../src/policies/kits/json-text/index.js';
import { readXml, writeXml, type XmlLimits } from '../../../src/policies/kits/xml/index.js';

const read = (text: string | Uint8Array, limits: Partial<XmlLimits> = {}, arrays: readonly string[] = []) =>
  readXml(typeof text === 'string' ? Buffer.from(text) : text, { limits, arrays });

function jsonOf(text: string, arrays?: readonly string[]): string {
  const { value, fault } = read(text, {}, arrays);
  return fault === undefined ? JSON.stringify(value) : `${fault.kind}: ${fault.detail}`;
}

const READ: readonly [xml: string, json: string][] = [
  ['<a/>', '{"a":""}'],
  ['<a></a>', '{"a":""}'],
  ['<a>text</a>', '{"a":"text"}'],
  ['<a> 007 </a>', '{"a":" 007 "}'],
  ['<a x="1" y=\'2"\'/>', '{"a":{"@x":"1","@y":"2\\""}}'],
  ['<a x="1">t</a>', '{"a":{"@x":"1","#text":"t"}}'],
  ['<a x="1"> </a>', '{"a":{"@x":"1","#text":" "}}'],
  ['<a><b>1</b><c/><b>2</b></a>', '{"a":{"b":["1","2"],"c":""}}'],
  ['<a>\n  <b>1</b>\n</a>', '{"a":{"b":"1"}}'],
  ['<a>one<b/>two</a>', '{"a":{"b":"","#text":"onetwo"}}'],
  ['<a>1 &lt; 2 &amp;&#38;&#x26; &quot;&apos;&gt;</a>', '{"a":"1 < 2 &&& \\"\'>"}'],
  ['<a><![CDATA[<b>&amp;]]></a>', '{"a":"<b>&amp;"}'],
  ['<a><b/><![CDATA[ ]]></a>', '{"a":{"b":"","#text":" "}}'],
  [
    '<?xml version="1.0" encoding="utf-8" standalone=\'yes\'?>\n<!-- c --><?pi x?><a><!-- d --><?pi?></a>\n<!---->',
    '{"a":""}',
  ],
  ['\ufeff<a/>', '{"a":""}'],
  ['<a x = "1"\n\ty="2" ></a >', '{"a":{"@x":"1","@y":"2"}}'],
  ['<a x="\t\r\n&#10;">\r\n\r</a>', '{"a":{"@x":"  \\n","#text":"\\n\\n"}}'],
  ['<n:a xmlns:n="u" n:b="1"><n:c/></n:a>', '{"n:a":{"@xmlns:n":"u","@n:b":"1","n:c":""}}'],
  [
    '<__proto__ __proto__="1"><constructor/><__proto__/></__proto__>',
    '{"__proto__":{"@__proto__":"1","constructor":"","__proto__":""}}',
  ],
  ['<é😀-1.·>x</é😀-1.·>', '{"é😀-1.·":"x"}'],
];

for (const [xml, json] of READ) {
  test(`reads ${JSON.stringify(xml)}`, () => {
    assert.is(jsonOf(xml), json);
  });
}

test('elements that are arrays always', () => {
  const arrays = ['a.b', 'a.c.d'];
  assert.is(jsonOf('<a><b/></a>', arrays), '{"a":{"b":[""]}}');
  assert.is(
    jsonOf('<a><b>1</b><b x="2"/><c><d><b/></d></c></a>', arrays),
    '{"a":{"b":["1",{"@x":"2"}],"c":{"d":[{"b":""}]}}}',
  );
});

const REFUSED: readonly [xml: string | Uint8Array, kind: string][] = [
  ['', 'syntax'],
  ['text', 'syntax'],
  ['<a>', 'syntax'],
  ['<a', 'syntax'],
  ['</a>', 'syntax'],
  ['<a></b>', 'syntax'],
  ['<a><b></a></b>', 'syntax'],
  ['<a/><b/>', 'syntax'],
  ['<a/>text', 'syntax'],
  ['x<a/>', 'syntax'],
  ['<a x=1/>', 'syntax'],
  ['<a x/>', 'syntax'],
  ['<a x="1"y="2"/>', 'syntax'],
  ['<a x="1" x="2"/>', 'syntax'],
  ['<a x="<"/>', 'syntax'],
  ['<a x="1/>', 'syntax'],
  ['<1a/>', 'syntax'],
  ['< a/>', 'syntax'],
  ['<a/ >', 'syntax'],
  ['<a>]]></a>', 'syntax'],
  ['<a><!-- x -- y --></a>', 'syntax'],
  ['<a><!-- x ---></a>', 'syntax'],
  ['<a><!-- x</a>', 'syntax'],
  ['<a><![CDATA[x</a>', 'syntax'],
  ['<![CDATA[x]]><a/>', 'syntax'],
  ['<a><!ELEMENT x></a>', 'syntax'],
  ['<a><?xml version="1.0"?></a>', 'syntax'],
  [' <?xml version="1.0"?><a/>', 'syntax'],
  ['<?xml version="1.1"?><a/>', 'syntax'],
  ['<a><?pi</a>', 'syntax'],
  ['<a>\u0001</a>', 'syntax'],
  ['<a>\ufffe</a>', 'syntax'],
  ['<a>&#0;</a>', 'entity'],
  ['<a>&#x1;</a>', 'entity'],
  ['<a>&#xd800;</a>', 'entity'],
  ['<a>&#x110000;</a>', 'entity'],
  ['<a>&#9999999;</a>', 'entity'],
  ['<a>&</a>', 'entity'],
  ['<a>&nbsp;</a>', 'entity'],
  ['<a x="&"/>', 'entity'],
  ['<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', 'doctype'],
  ['<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', 'doctype'],
  ['<?xml version="1.0" encoding="latin1"?><a/>', 'encoding'],
  [Buffer.from('<a/>', 'utf16le'), 'syntax'],
  [Uint8Array.of(0xff, 0xfe, 0x3c, 0x00), 'encoding'],
];

for (const [xml, kind] of REFUSED) {
  test(`refused as ${kind}: ${JSON.stringify(String(xml))}`, () => {
    assert.is(read(xml).fault?.kind, kind);
  });
}

test('bytes, depth, values and attributes are bounded', () => {
  assert.is(read('<a/>', { bytes: 3 }).fault?.kind, 'size');
  assert.is(read(`${'<a>'.repeat(65)}${'</a>'.repeat(65)}`).fault?.kind, 'depth');
  assert.is(read('<a><b>x</b></a>', { depth: 1 }).fault?.kind, 'depth');
  assert.is(read('<a><b/><b/></a>', { values: 2 }).fault?.kind, 'size');
  assert.is(read('<a b="1" c="2"/>', { values: 2 }).fault?.kind, 'size');
  assert.is(read('<a b="1" c="2"/>', { attributes: 1 }).fault?.kind, 'size');
});

test('hostile texts end in time linear in their length', () => {
  const many = 100_000;
  for (const text of [
    `<a>${'<'.repeat(many)}`,
    `<a>${'<!--'.repeat(many)}`,
    `<a>${'<![CDATA['.repeat(many)}`,
    `<a>${'&'.repeat(many)}</a>`,
    `<a${' '.repeat(many)}x`,
    `<a x${' '.repeat(many)}y`,
    `<${'a'.repeat(many)}`,
    `<a x="${'"'.repeat(many)}`,
    `<?xml ${' '.repeat(many)}`,
    '<a>'.repeat(many),
    '<a/>'.repeat(many),
    `<a>${']'.repeat(many)}</a>x`,
  ])
    assert.not.ok(read(text).fault === undefined, text.slice(0, 20));
});

function xmlOf(value: JsonValue): string {
  const written = writeXml(value);
  return 'text' in written ? written.text : written.error;
}

test('writes elements, attributes and text', () => {
  assert.is(
    xmlOf({
      a: {
        '@x': 'q"<\t\n',
        '#text': 'a<b>&\r',
        b: ['1', 2, true, null],
        c: { '@y': new LongNumber('12345678901234567890') },
        d: [],
      },
    }),
    '<a x="q&quot;&lt;&#9;&#10;">a&lt;b&gt;&amp;&#13;<b>1</b><b>2</b><b>true</b><b/><c y="12345678901234567890"/></a>',
  );
  assert.equal(writeXml({ a: null }, { declaration: true }), { text: '<?xml version="1.0" encoding="UTF-8"?>\n<a/>' });
});

test('what is no XML is an error', () => {
  for (const value of [null, 'x', [], {}, { a: 1, b: 2 }, { a: [1] }])
    assert.match(xmlOf(value), /one element at the top/);
  for (const [value, error] of [
    [{ '1a': 1 }, /`1a` is no name/],
    [{ 'a b': 1 }, /no name of an element/],
    [{ a: { '@': 1 } }, /no name of an attribute/],
    [{ a: { '@x': {} } }, /must be a text/],
    [{ a: { '#text': [] } }, /must be a text/],
    [{ a: { b: [[1]] } }, /must be a text/],
    [{ a: '\u0001' }, /character/],
    [{ a: { '@x': '\ud800' } }, /character/],
  ] as const)
    assert.match(xmlOf(value as JsonValue), error);
  let deep: JsonValue = 'x';
  for (let depth = 0; depth < 65; depth++) deep = { a: deep };
  assert.match(xmlOf(deep), /deeply/);
});

/** A value as `readXml` makes them. */
function randomElement(random: () => number, depth: number): JsonValue {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const text = (): string =>
    Array.from({ length: Math.floor(random() * 6) }, () => pick([...'a<>&"\'\n\t\r ;]é😀'])).join('');
  if (depth > 3 || random() < 0.3) return text();
  const table: { [name: string]: JsonValue } = {};
  if (random() < 0.5) table[`@${pick(['x', 'n:y', '__proto__'])}`] = text();
  for (const name of ['b', 'c.d', 'n:e'])
    if (random() < 0.5)
      table[name] =
        random() < 0.5
          ? randomElement(random, depth + 1)
          : [randomElement(random, depth + 1), randomElement(random, depth + 1)];
  if (Object.keys(table).length === 0) return text();
  if (random() < 0.5) table['#text'] = `x${text()}`;
  return table;
}

test('what is written is read as the same value', () => {
  let state = 11;
  const random = (): number => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return state / 2147483648;
  };
  for (let round = 0; round < 1000; round++) {
    const value = { root: randomElement(random, 0) };
    const text = xmlOf(value);
    assert.equal(read(text).value, value, text);
    assert.is(xmlOf(read(text).value!), text);
  }
});

test('names with dots can be arrays', () => {
  const { value } = readXml(Buffer.from('<a.b><c.d>1</c.d><e>2</e></a.b>'), { arrays: ['a.b.c.d'] });
  assert.equal(value, { 'a.b': { 'c.d': ['1'], e: '2' } });
});

test('a long name is not read again for each element in it', () => {
  const name = 'a'.repeat(500_000);
  const bytes = Buffer.from(`<${name}>${'<b/>'.repeat(40_000)}</${name}>`);
  const began = performance.now();
  const read = readXml(bytes, { arrays: ['x.b'], limits: { bytes: 2 << 20 } });
  assert.is(read.fault, undefined);
  assert.ok(performance.now() - began < 3000);
});

test.run();
