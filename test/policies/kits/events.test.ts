import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  NdjsonSplitter,
  ndjsonLine,
  type SseEvent,
  SseSplitter,
  sseText,
} from '../../../src/policies/kits/events/index.js';

/** All ways to cut a short text in two, the whole, and byte by byte. */
function* cuts(text: string): Generator<Buffer[]> {
  const bytes = Buffer.from(text);
  yield [bytes];
  yield [...bytes].map((byte) => Buffer.of(byte));
  for (let at = 1; at < bytes.length; at++) yield [bytes.subarray(0, at), bytes.subarray(at)];
}

function eventsOf(chunks: readonly Buffer[], max = 1000): { events: SseEvent[]; fine: boolean; left: boolean } {
  const events: SseEvent[] = [];
  const splitter = new SseSplitter(max, (event) => events.push(event));
  const fine = chunks.every((chunk) => splitter.write(chunk));
  return { events, fine, left: splitter.end() };
}

/** Type, data, id and retry, as a client dispatches them. */
const EVENTS: readonly [
  stream: string,
  events: [type: string, data?: string | undefined, id?: string, retry?: number][],
][] = [
  ['data: a\n\n', [['', 'a']]],
  ['data: a\r\n\r\n', [['', 'a']]],
  ['data: a\r\r', [['', 'a']]],
  [
    'data: a\r\n\ndata: b\r\r\ndata: c\n\r',
    [
      ['', 'a'],
      ['', 'b'],
      ['', 'c'],
    ],
  ],
  ['data: a\ndata: b\ndata:c\ndata:  d\n\n', [['', 'a\nb\nc\n d']]],
  [
    'data\n\ndata\ndata\n\ndata:',
    [
      ['', ''],
      ['', '\n'],
    ],
  ],
  ['\ufeffdata: é😀\n\n', [['', 'é😀']]],
  ['\ufeff\ufeffdata: x\n\n', [['', undefined]]],
  ['event: add\nid: 7\nretry: 1000\ndata: x\n\n', [['add', 'x', '7', 1000]]],
  ['id\ndata: x\n\n', [['', 'x', '']]],
  ['id: a\0b\nretry: 1x\ndata: x\n\n', [['', 'x']]],
  ['event: add\n\n', [['add']]],
  ['Data: x\n data: y\nfoo\n\n', [['', undefined]]],
  ['data: a:b: c\n\n', [['', 'a:b: c']]],
  ['\n\n\ndata: x\n\n\n', [['', 'x']]],
];

for (const [stream, expected] of EVENTS) {
  test(`events of ${JSON.stringify(stream)}`, () => {
    for (const chunks of cuts(stream)) {
      const { events, fine } = eventsOf(chunks);
      assert.is(fine, true);
      assert.equal(
        events.map(({ type, data, id, retry }) => [type, data, id, retry]),
        expected.map(([type, data, id, retry]) => [type, data, id, retry]),
      );
    }
  });
}

test('an event that is not ended is discarded', () => {
  assert.equal(eventsOf([Buffer.from('data: x\n')]), { events: [], fine: true, left: true });
  assert.equal(eventsOf([Buffer.from('data: x')]), { events: [], fine: true, left: true });
  assert.is(eventsOf([Buffer.from('data: x\n\n')]).left, false);
});

test('bytes that are not UTF-8 become replacement characters', () => {
  assert.is(eventsOf([Buffer.from('data: a\xffb\n\n', 'latin1')]).events[0]!.data, 'a\ufffdb');
});

test('data are replaced, other lines stay', () => {
  const stream = ':hello\nid: 1\n: note\nevent: add\ndata: old\ncustom: x\ndata: more\nretry: 5\n\n: ping\ndata: b\n\n';
  for (const chunks of cuts(stream)) {
    const text = eventsOf(chunks)
      .events.map((event) => sseText(event, event.data === undefined ? undefined : 'one\r\n\rtwo'))
      .join('');
    assert.is(
      text,
      ':hello\nid: 1\n: note\nevent: add\ndata: one\ndata:\ndata: two\ncustom: x\nretry: 5\n\n' +
        ': ping\ndata: one\ndata:\ndata: two\n\n',
    );
  }
});

test('a comment between events is passed on at once', () => {
  const events: SseEvent[] = [];
  const splitter = new SseSplitter(20, (event) => events.push(event));
  for (let count = 0; count < 100; count++) assert.ok(splitter.write(Buffer.from(': alive\n')));
  assert.is(events.length, 100);
  assert.is(sseText(events[0]!), ': alive\n');
});

test('what is written is read as the same event', () => {
  const data = ['', ' ', 'a', '\n', 'a\n\nb\n', ':x', ' a', '{"a":1}'];
  for (const one of data) {
    const [event] = eventsOf([Buffer.from('id: 4\nevent: e\ndata: x\n\n')]).events;
    const again = eventsOf([Buffer.from(sseText(event!, one))]).events;
    assert.equal(again, [{ ...event, data: one }]);
  }
});

test('a long event ends the stream', () => {
  for (const chunks of [
    [`data: ${'x'.repeat(20)}\n\n`],
    ['data: ', ...'x'.repeat(20)],
    ['data: a\n', 'data: b\n', 'data: c\n'],
  ]) {
    const { fine, events } = eventsOf(
      chunks.map((chunk) => Buffer.from(chunk)),
      20,
    );
    assert.is(fine, false);
    assert.equal(events, []);
  }
});

function linesOf(chunks: readonly Buffer[], max = 100): { lines: string[]; fine: boolean } {
  const lines: string[] = [];
  const splitter = new NdjsonSplitter(max, (line) => lines.push(line.toString()));
  const written = chunks.every((chunk) => splitter.write(chunk));
  return { lines, fine: splitter.end() && written };
}

test('lines of NDJSON', () => {
  for (const [text, lines] of [
    ['{"a":1}\n[2]\n', ['{"a":1}', '[2]']],
    ['1\r\n\r\n\n2', ['1', '2']],
    ['"é😀"', ['"é😀"']],
    ['', []],
    ['1\r2\n', ['1\r2']],
  ] as const)
    for (const chunks of cuts(text)) assert.equal(linesOf(chunks), { lines, fine: true });
  assert.is(ndjsonLine('1'), '1\n');
});

test('a long line ends the stream', () => {
  assert.equal(linesOf([Buffer.from('12345\n123456\n1\n')], 5), { lines: ['12345'], fine: false });
  assert.equal(
    linesOf(
      [...'1234567'].map((one) => Buffer.from(one)),
      5,
    ),
    { lines: [], fine: false },
  );
  assert.equal(linesOf([Buffer.from('12345\r\n')], 5), { lines: ['12345'], fine: true });
  assert.equal(linesOf([Buffer.from('123456')], 5), { lines: [], fine: false });
});

test.run();
