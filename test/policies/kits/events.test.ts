import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  EventSplitter,
  eventText,
  LineSplitter,
  readEvent,
  Turns,
  UnitFault,
  type UnitSplitter,
  UnitStage,
  withoutEnd,
} from '../../../src/policies/kits/events/index.js';
import { BytesReply } from '../../../src/policies/run-kit.js';

/** All ways to cut a short text in two, the whole, and byte by byte. */
function* cuts(text: string): Generator<Buffer[]> {
  const bytes = Buffer.from(text);
  yield [bytes];
  yield [...bytes].map((byte) => Buffer.of(byte));
  for (let at = 1; at < bytes.length; at++) yield [bytes.subarray(0, at), bytes.subarray(at)];
}

/** The units, taken after each chunk; the memory of a chunk is used again. */
function unitsOf(splitter: UnitSplitter, chunks: readonly Buffer[]): string[] {
  const units: Buffer[] = [];
  const take = (): void => {
    for (let unit = splitter.next(); unit !== undefined; unit = splitter.next()) units.push(unit);
  };
  for (const chunk of chunks) {
    const piece = Buffer.from(chunk);
    splitter.push(piece);
    piece.fill('#');
    take();
  }
  splitter.end();
  take();
  assert.ok(splitter.done);
  return units.map(String);
}

/** The data of the events that clients see. */
const EVENTS: readonly [stream: string, ...data: string[]][] = [
  ['data: a\n\n', 'a'],
  ['data: a\r\n\r\n', 'a'],
  ['data: a\r\r', 'a'],
  ['data: a\r\n\ndata: b\r\r\ndata: c\n\r', 'a', 'b', 'c'],
  ['data: a\ndata: b\ndata:c\ndata:  d\n\n', 'a\nb\nc\n d'],
  ['data: a\rdata: b\r\ndata: c\n\n', 'a\nb\nc'],
  ['data\n\ndata\ndata\n\n', '', '\n'],
  ['\ufeffdata: é😀\n\n\ufeffdata: y\n\n', 'é😀'],
  ['\ufeff\ufeffdata: x\n\n'],
  ['event: add\nid: 7\nretry: 1000\ndata: x\n\n', 'x'],
  ['event: add\n\n'],
  ['Data: x\n data: y\nfoo\n\n'],
  ['data: a:b: c\n\n', 'a:b: c'],
  ['\n\n\ndata: x\n\n\n', 'x'],
  [': one\ndata: x\n: two\n\n: three\n\n', 'x'],
];

for (const [stream, ...expected] of EVENTS)
  test(`events of ${JSON.stringify(stream)}`, () => {
    for (const chunks of cuts(stream)) {
      const units = unitsOf(new EventSplitter(1000), chunks);
      assert.is(units.join(''), stream);
      const data = units.flatMap((unit, index) => readEvent(unit, index === 0).data ?? []);
      assert.equal(data, expected);
    }
  });

test('an event that is not ended is the last unit, and incomplete', () => {
  const splitter = new EventSplitter(100);
  assert.equal(unitsOf(splitter, [Buffer.from('data: x\n\ndata: y\n')]), ['data: x\n\n', 'data: y\n']);
  assert.ok(splitter.incomplete);
});

test('data are replaced, and other lines and ends of lines stay', () => {
  const stream =
    ':hello\nid: 1\n: note\nevent: add\ndata: old\ncustom: x\ndata: more\nretry: 5\n\n: ping\ndata: b\r\n\r\n';
  for (const chunks of cuts(stream)) {
    const text = unitsOf(new EventSplitter(1000), chunks)
      .map((unit) => {
        const event = readEvent(unit, false);
        return eventText(event, event.data === undefined ? undefined : 'one\r\n\rtwo');
      })
      .join('');
    assert.is(
      text,
      ':hello\nid: 1\n: note\nevent: add\ndata: one\ndata:\ndata: two\ncustom: x\nretry: 5\n\n' +
        ': ping\ndata: one\r\ndata:\r\ndata: two\r\n\r\n',
    );
  }
});

test('a comment between events is a unit at once', () => {
  const splitter = new EventSplitter(20);
  for (let count = 1; count <= 100; count++) {
    splitter.push(Buffer.from(': alive\n'));
    assert.is(splitter.next()?.toString(), ': alive\n');
  }
});

test('what is written is read as the same event', () => {
  for (const data of ['', ' ', 'a', '\n', 'a\n\nb\n', ':x', ' a', '{"a":1}']) {
    const event = readEvent('id: 4\nevent: e\ndata: x\n\n', false);
    assert.is(readEvent(eventText(event, data), false).data, data);
  }
});

test('a long unit ends the stream, after those before it', () => {
  for (const chunks of [
    [`data: a\n\ndata: ${'x'.repeat(20)}\n\n`],
    ['data: a\n\n', 'data: ', ...'x'.repeat(20)],
    ['data: a\n\ndata: a\n', 'data: b\n', 'data: c\n'],
  ]) {
    const splitter = new EventSplitter(20);
    const bytes = chunks.map((chunk) => Buffer.from(chunk));
    assert.equal(unitsOf(splitter, bytes), ['data: a\n\n']);
    assert.ok(splitter.tooLong);
  }
});

function linesOf(chunks: readonly Buffer[], max = 100): { lines: string[]; fine: boolean } {
  const splitter = new LineSplitter(max);
  const lines = unitsOf(splitter, chunks).map((line) => withoutEnd(Buffer.from(line)).toString());
  return { lines, fine: !splitter.tooLong };
}

test('lines', () => {
  for (const [text, lines] of [
    ['{"a":1}\n[2]\n', ['{"a":1}', '[2]']],
    ['1\r\n\r\n\n2', ['1', '', '', '2']],
    ['"é😀"', ['"é😀"']],
    ['', []],
    ['1\r2\n', ['1\r2']],
  ] as const)
    for (const chunks of cuts(text)) assert.equal(linesOf(chunks), { lines, fine: true });
});

test('a long line ends the stream', () => {
  assert.equal(linesOf([Buffer.from('12345\n123456\n1\n')], 5), { lines: ['12345'], fine: false });
  const bytes = [...'1234567'].map((one) => Buffer.from(one));
  assert.equal(linesOf(bytes, 5), { lines: [], fine: false });
  assert.equal(linesOf([Buffer.from('12345\r\n')], 5), { lines: ['12345'], fine: true });
  assert.equal(linesOf([Buffer.from('123456')], 5), { lines: [], fine: false });
});

/** A stage over lines, and what it has done. */
function stage(change: (line: string) => string | Promise<string>, room = (): boolean => true) {
  const state = { written: '', largest: 0, refused: '', failed: '', ended: false, onRoom: (): void => {} };
  const out = {
    write(bytes: Uint8Array) {
      state.written += Buffer.from(bytes).toString();
      state.largest = Math.max(state.largest, bytes.length);
      return room();
    },
    end() {
      state.ended = true;
    },
    fail(cause: string) {
      state.failed = cause;
    },
    refuse(cause: string) {
      state.refused = cause;
    },
    onWritable(callback: () => void) {
      state.onRoom = callback;
    },
    resume() {},
  };
  const clock = { now: () => 0, monotonic: () => 0 };
  const made = new UnitStage({
    splitter: new LineSplitter(100),
    out,
    turns: new Turns(clock),
    change: (unit) => change(unit.toString()),
    refusal: () => new BytesReply(400, {}),
  });
  return { stage: made, state };
}

test('what lines become is passed on in parts, and no more while the output is full', () => {
  let room = false;
  const { stage: made, state } = stage(
    () => 'x'.repeat(10_000),
    () => room,
  );
  assert.is(made.write(Buffer.from('\n'.repeat(1000))), false);
  assert.is(state.written.length, 70_000);
  room = true;
  made.end(undefined);
  assert.is(state.ended, false);
  state.onRoom();
  assert.is(state.written.length, 10_000_000);
  assert.is(state.largest, 70_000);
  assert.ok(state.ended);
});

test('a fault of a line refuses the body, and another error fails it', async () => {
  const refused = stage((line) => {
    if (line === 'bad\n') throw new UnitFault('no');
    return line;
  });
  refused.stage.write(Buffer.from('good\nbad\ngood\n'));
  assert.equal([refused.state.written, refused.state.refused], ['good\n', 'no']);
  const failed = stage(() => Promise.reject(new Error('bug')));
  failed.stage.write(Buffer.from('good\n'));
  await new Promise((resolve) => setImmediate(resolve));
  assert.is(failed.state.failed, 'bug');
});

test.run();
