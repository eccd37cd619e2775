/** JSON in lines and events are masked as they stream. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { HeaderFields, StageOut } from '../../../src/contract/index.js';
import { DataMask } from '../../../src/policies/mask/data.js';
import { formOf } from '../../../src/policies/mask/forms.js';
import { readPath } from '../../../src/policies/mask/paths.js';
import { maskStage } from '../../../src/policies/mask/streams.js';
import { textRule } from '../../../src/policies/mask/texts.js';
import { BytesReply, HeaderMap } from '../../../src/policies/run-kit.js';

class Sink implements StageOut {
  text = '';
  writes = 0;
  refused: string | undefined;
  ended = false;
  trailers: HeaderFields | undefined;
  write(bytes: Uint8Array): boolean {
    this.writes++;
    this.text += Buffer.from(bytes).toString('utf8');
    return true;
  }
  end(trailers?: HeaderFields): void {
    this.ended = true;
    this.trailers = trailers;
  }
  fail(cause: string): void {
    throw new Error(cause);
  }
  refuse(cause: string): void {
    this.refused = cause;
  }
  onWritable(): void {}
  resume(): void {}
}

const STARS = { kind: 'text', text: '***' } as const;

function stage(kind: 'lines' | 'events', { lenient = false, max = 100, texts = true } = {}) {
  const out = new Sink();
  const members = [{ path: readPath('**.p')!, form: formOf(STARS), text: undefined }];
  const everywhere = texts ? [textRule({ kinds: ['email'], patterns: [] }, STARS)] : [];
  const mask = new DataMask(members, everywhere, lenient);
  const trailers = (fields: HeaderFields): void => fields.set('x-p', '***');
  const clock = { now: () => 0, monotonic: () => 0 };
  const refusal = (): BytesReply => new BytesReply(502, {});
  return { out, stage: maskStage(kind, { max, mask, out, clock, trailers, refusal }) };
}

/** In one piece, in pieces of one byte, and in pieces of three. */
function everyWay(kind: 'lines' | 'events', before: string, after: string, options = {}): void {
  const bytes = Buffer.from(before);
  for (const size of [bytes.length, 1, 3]) {
    const { out, stage: made } = stage(kind, options);
    for (let at = 0; at < bytes.length; at += size) {
      const piece = Buffer.from(bytes.subarray(at, at + size));
      made.write(piece);
      // The bytes belong to the caller again.
      piece.fill(0);
    }
    made.end(undefined);
    assert.is(out.text, after, `pieces of ${size}`);
    assert.ok(out.ended);
  }
}

test('lines of JSON', () => {
  everyWay(
    'lines',
    '{"p":1}\n\n{"q":"é"}\r\n{"p":{"x":[]}}\r\n{"e":"a@b.co"}',
    '{"p":"***"}\n\n{"q":"é"}\r\n{"p":"***"}\r\n{"e":"***"}',
  );
});

test('a JSON text sequence', () => {
  everyWay('lines', '\x1e{"p":1}\n\x1e{"q":2}\n', '\x1e{"p":"***"}\n\x1e{"q":2}\n');
});

test('events', () => {
  everyWay(
    'events',
    ': hello a@b.co\n\nevent: x\ndata: {"p":1}\nid: 7\n\ndata:{"q":\ndata: 2}\n\ndata: [DONE]\n\ndata: from a@b.co\ndata\n\n',
    ': hello ***\n\nevent: x\ndata: {"p":"***"}\nid: 7\n\ndata:{"q":\ndata: 2}\n\ndata: [DONE]\n\ndata: from ***\ndata:\n\n',
  );
});

test('events with other ends of lines, and one that is not complete', () => {
  everyWay(
    'events',
    'data: {"p":1}\r\n\r\ndata: 1\r\rdata: {"p":2}',
    'data: {"p":"***"}\r\n\r\ndata: 1\r\rdata: {"p":"***"}',
  );
});

test('data in several lines', () => {
  everyWay('events', 'data: {"a":1,\ndata: "p":2}\n\n', 'data: {"a":1,\ndata: "p":"***"}\n\n');
});

test('a complete unit is sent at once', () => {
  const { out, stage: made } = stage('events');
  made.write(Buffer.from('data: {"p":1}\n'));
  assert.is(out.text, '');
  made.write(Buffer.from('\ndata: {'));
  assert.is(out.text, 'data: {"p":"***"}\n\n');
});

const REFUSED: readonly (readonly [what: string, kind: 'lines' | 'events', text: string, cause: RegExp])[] = [
  ['a line that is not JSON', 'lines', '{"p":1}\n{"p":\n', /not valid JSON/],
  ['an event that is not JSON', 'events', 'data: {"p":\n\n', /not valid JSON/],
  ['an array that is not JSON', 'events', 'data: [DONE\n\n', /not valid JSON/],
  ['a long line', 'lines', `"${'x'.repeat(200)}`, /more than 100 bytes/],
  ['a long event', 'events', 'data: 1\n'.repeat(20), /more than 100 bytes/],
];

for (const [what, kind, text, cause] of REFUSED)
  test(`${what} is refused`, () => {
    const { out, stage: made } = stage(kind);
    made.write(Buffer.from(text));
    made.write(Buffer.from('{"p":2}\n\n'));
    made.end(undefined);
    assert.match(out.refused ?? '', cause);
    assert.not.match(out.text, '"p":2');
    assert.not.ok(out.ended);
  });

test('bytes that are not UTF-8 are refused', () => {
  const { out, stage: made } = stage('lines');
  made.write(Buffer.from([0x22, 0xff, 0x22, 0x0a]));
  assert.match(out.refused ?? '', /not UTF-8/);
});

test('a rest that cannot be read is refused at the end', () => {
  const { out, stage: made } = stage('lines');
  made.write(Buffer.from('{"p":'));
  made.end(undefined);
  assert.match(out.refused ?? '', /not valid JSON/);
  assert.is(out.text, '');
});

test('lenient: what cannot be read passes with its texts masked', () => {
  everyWay('lines', 'a@b.co {"p":1\n', '*** {"p":1\n', { lenient: true });
  everyWay('events', 'data: {a@b.co\n\n', 'data: {***\n\n', { lenient: true });
  everyWay('events', 'data: {a@b.co\n\n', 'data: {a@b.co\n\n', { lenient: true, texts: false });
});

test('trailers are masked', () => {
  const { out, stage: made } = stage('lines');
  made.end(new HeaderMap([['x-p', 'secret']]));
  assert.is(out.trailers?.get('x-p'), '***');
});

test('a long line in small pieces takes time in proportion', () => {
  const { out, stage: made } = stage('events', { max: 2 << 20 });
  const began = performance.now();
  made.write(Buffer.from('data: "'));
  for (let piece = 0; piece < 100_000; piece++) made.write(Buffer.from('0123456789'));
  made.write(Buffer.from('"\n\n'));
  assert.is(out.text.length, 1_000_010);
  assert.ok(performance.now() - began < 5000);
});

test.run();
