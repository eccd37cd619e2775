import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Intake } from '../../../../src/proxy/downstream/http1/intake.js';

const MAX = 64 * 1024;

/** A buffer that is read into again and again, as connections of a thread do. */
class Shared {
  readonly buffer = Buffer.alloc(256);

  read(text: string): number {
    this.buffer.fill('#');
    return this.buffer.write(text, 'latin1');
  }
}

test('what is left of a lent buffer survives the next read into it', () => {
  const shared = new Shared();
  const intake = new Intake();
  intake.push(shared.buffer, shared.read('GET / HTTP/1.1\r\nHo'), true);
  intake.keep();
  shared.read('something else of another connection');
  assert.is(intake.text(MAX), 'GET / HTTP/1.1\r\nHo');
  intake.push(shared.buffer, shared.read('st: a\r\n\r\nGET'), true);
  assert.is(intake.text(MAX), 'GET / HTTP/1.1\r\nHost: a\r\n\r\nGET');
  intake.skip(27);
  intake.keep();
  shared.read('and once more');
  assert.is(intake.text(MAX), 'GET');
});

test('a lent buffer that is used up is not copied, and bytes behind the read are none of it', () => {
  const shared = new Shared();
  const intake = new Intake();
  intake.push(shared.buffer, shared.read('abc'), true);
  assert.is(intake.text(MAX), 'abc');
  intake.skip(3);
  assert.ok(intake.empty);
  intake.keep();
  assert.is(intake.text(MAX), '');
  assert.is(intake.takeAll(), undefined);
});

test('a body is read no further than what came', () => {
  const shared = new Shared();
  const intake = new Intake();
  intake.body.begin('length', 6);
  intake.push(shared.buffer, shared.read('abcd'), true);
  assert.is(intake.payload().toString(), 'abcd');
  assert.not.ok(intake.body.done);
  assert.ok(intake.empty);
  intake.push(shared.buffer, shared.read('efGET'), true);
  assert.is(intake.payload().toString(), 'ef');
  assert.ok(intake.body.done);
  intake.keep();
  shared.read('');
  assert.is(intake.takeAll()?.toString(), 'GET');
});

test('what is taken of a lent buffer is the caller’s to keep', () => {
  const shared = new Shared();
  const intake = new Intake();
  intake.push(shared.buffer, shared.read('upgrade bytes'), true);
  intake.skip(8);
  const taken = intake.takeAll();
  shared.read('overwritten');
  assert.is(taken?.toString(), 'bytes');
  assert.ok(intake.empty);
});

test('a head may end only when a line has come, or too much', () => {
  const intake = new Intake();
  intake.push(Buffer.from('GET / HT'), 8, false);
  assert.ok(intake.headMayEnd(100));
  intake.text(100);
  intake.push(Buffer.from('TP/1.1'), 6, false);
  assert.not.ok(intake.headMayEnd(100));
  assert.ok(intake.headMayEnd(14));
  intake.push(Buffer.from('\r\n'), 2, false);
  assert.ok(intake.headMayEnd(100));
});

test('the end of a head that nobody looked for yet is not forgotten when bytes without a line come behind it', () => {
  const intake = new Intake();
  const push = (text: string): void => intake.push(Buffer.from(text), text.length, false);
  push('POST / HTTP/1.1\r\nHost: a');
  intake.text(MAX);
  push('\r\n\r\n');
  push('hello');
  assert.ok(intake.headMayEnd(100));
});

test('only the head of what is long is decoded, and never much more than may be', () => {
  const intake = new Intake();
  const head = `GET / HTTP/1.1\r\nHost: a\r\n\r\n`;
  const all = Buffer.from(head + 'x'.repeat(10_000));
  intake.push(all, all.length, false);
  assert.is(intake.text(MAX), head);
  const endless = Buffer.from('y'.repeat(10_000));
  intake.takeAll();
  intake.push(endless, endless.length, false);
  assert.is(intake.text(4096).length, 4100);
});

test.run();
