import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Intake } from '../../../../src/proxy/downstream/http1/intake.js';

const MAX = 64 * 1024;

/** A shared buffer that all reads of a thread reuse. */
class Shared {
  readonly buffer = Buffer.alloc(256);

  read(text: string): number {
    this.buffer.fill('#');
    return this.buffer.write(text, 'latin1');
  }
}

test('unconsumed bytes of a lent buffer survive the next read into it', () => {
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

test('a consumed lent buffer is not copied, and bytes after the read are ignored', () => {
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

test('a body is read up to the received bytes only', () => {
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

test('bytes taken from a lent buffer are copied', () => {
  const shared = new Shared();
  const intake = new Intake();
  intake.push(shared.buffer, shared.read('upgrade bytes'), true);
  intake.skip(8);
  const taken = intake.takeAll();
  shared.read('overwritten');
  assert.is(taken?.toString(), 'bytes');
  assert.ok(intake.empty);
});

test('a head can end only after a new line or at the size limit', () => {
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

test('an unread end of a head is found after further bytes without a line end', () => {
  const intake = new Intake();
  const push = (text: string): void => intake.push(Buffer.from(text), text.length, false);
  push('POST / HTTP/1.1\r\nHost: a');
  intake.text(MAX);
  push('\r\n\r\n');
  push('hello');
  assert.ok(intake.headMayEnd(100));
});

test('of long input only the head is decoded, up to about the limit', () => {
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
