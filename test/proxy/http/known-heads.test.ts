/** Repeated heads are parsed the same as the first time, whatever came before them. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { KnownFields } from '../../../src/proxy/http/known-heads.js';
import { type HeadLimits, RequestHead } from '../../../src/proxy/http/request-head.js';
import { ResponseHead } from '../../../src/proxy/http/response-head.js';
import { seeded } from '../../support/random.js';

const test = suite('known heads');
const LIMITS: HeadLimits = { maxHeaderBytes: 8192, maxHeaders: 8, maxTargetBytes: 1024, underscores: 'refuse-aliases' };

const requestFacts = (head: RequestHead, length: number): unknown =>
  length <= 0
    ? { length, error: length < 0 ? head.error : '' }
    : {
        length,
        method: head.method,
        minor: head.minor,
        path: head.path,
        query: head.query,
        authority: head.authority,
        host: head.host,
        seen: head.seen,
        contentLength: head.contentLength,
        listed: head.listed,
        kept: head.kept,
        fields: head.text.slice(head.fieldsAt, head.fieldsEnd),
      };

/** Compares a parser with known heads to a new parser. */
function both(known: KnownFields, text: string, limits = LIMITS, written?: ReadonlySet<string>): [unknown, unknown] {
  const [knowing, fresh] = [new RequestHead(), new RequestHead()];
  if (written !== undefined) knowing.written = fresh.written = written;
  return [requestFacts(knowing, knowing.parse(text, limits, known)), requestFacts(fresh, fresh.parse(text, limits))];
}

const FIELDS = 'Host: A.example:80\r\nX-One:  1\r\nConnection: keep-alive, x-one\r\nAccept: */*\r\n\r\n';

test('the same fields after a different request line', () => {
  const known = new KnownFields();
  for (const line of ['GET /a', 'GET /longer/path?q=1', 'POST /b', 'GET /a']) {
    const [knowing, fresh] = both(known, `${line} HTTP/1.1\r\n${FIELDS}and what comes behind`);
    assert.equal(knowing, fresh);
  }
  const head = new RequestHead();
  const text = `GET /found HTTP/1.1\r\n${FIELDS}`;
  assert.is(head.parse(text, LIMITS), text.length);
  assert.ok(known.find(Object.assign(new RequestHead(), { text, fieldsAt: 21 }), LIMITS) > 0, 'they are known indeed');
});

test('a request line that changes the meaning of the same fields', () => {
  const fields = 'Host: a.example\r\nMax-Forwards: 3\r\n\r\n';
  const lines = [
    'GET / HTTP/1.1',
    'OPTIONS * HTTP/1.1',
    'TRACE / HTTP/1.1',
    'GET http://a.example/x HTTP/1.1',
    'GET https://a.example/x HTTP/1.1',
    'GET http://other.example/x HTTP/1.1',
    'GET / HTTP/1.0',
    'GET / HTTP/1.1',
  ];
  for (const first of lines) {
    for (const second of lines) {
      const known = new KnownFields();
      both(known, `${first}\r\n${fields}`);
      const [knowing, fresh] = both(known, `${second}\r\n${fields}`);
      assert.equal(knowing, fresh, `${second} after ${first}`);
    }
  }
});

test('changed limits or policy fields cause a new parse', () => {
  const known = new KnownFields();
  const text = 'GET / HTTP/1.1\r\nHost: a\r\nx_user: me\r\n\r\n';
  for (const limits of [LIMITS, { ...LIMITS, underscores: 'drop' }, { ...LIMITS, maxHeaders: 1 }] as HeadLimits[]) {
    const [knowing, fresh] = both(known, text, limits);
    assert.equal(knowing, fresh);
  }
  for (const written of [new Set<string>(), new Set(['x-user'])]) {
    const [knowing, fresh] = both(known, text, LIMITS, written);
    assert.equal(knowing, fresh);
  }
});

test('a head over the limit is refused even if its fields are known', () => {
  const known = new KnownFields();
  const limits = { ...LIMITS, maxHeaderBytes: 200, maxTargetBytes: 150 };
  const of = (path: string): string => `GET /${path} HTTP/1.1\r\nHost: a\r\nX-Fill: ${'x'.repeat(100)}\r\n\r\n`;
  assert.equal(...both(known, of('a'), limits));
  const [knowing, fresh] = both(known, of('a'.repeat(100)), limits);
  assert.equal(knowing, fresh);
  assert.equal(knowing, { length: -1, error: 'request/head-too-large' });
});

test('an idle connection does not retain a long request line', () => {
  const known = new KnownFields();
  const head = new RequestHead();
  const limits = { ...LIMITS, maxTargetBytes: 8000 };
  const of = (path: string): string => `GET /${path} HTTP/1.1\r\n${FIELDS}`;
  const knows = (): boolean =>
    known.find(Object.assign(new RequestHead(), { text: of('a'), fieldsAt: 17 }), limits) > 0;
  head.parse(of('a'), limits, known);
  assert.ok(knows());
  // A slice of a string can keep the whole string alive.
  const long = of('a'.repeat(6000)).replace('X-One:  1', 'X-One: 2');
  assert.is(head.parse(long, limits, known), long.length);
  assert.not(knows());
});

test('random sequences of equal and different heads, complete and in pieces', () => {
  const random = seeded(3);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  const lines = [
    'Host: a',
    'Host: b',
    'Accept: x',
    'X-Y:z',
    'content-length: 4',
    'Transfer-Encoding: chunked',
    'a_b: c',
  ];
  const more = ['Connection: close', 'Connection: accept', 'Max-Forwards: 1', 'Bad Name: x', 'Expect: 100-continue'];
  const known = new KnownFields();
  for (let i = 0; i < 5000; i++) {
    const count = Math.floor(random() * 4);
    let fields = 'Host: a\r\n';
    for (let k = 0; k < count; k++) fields += `${pick(random() < 0.8 ? lines : more)}\r\n`;
    const repeat = 1 + Math.floor(random() * 3);
    for (let k = 0; k < repeat; k++) {
      const line = `${pick(['GET', 'PUT', 'TRACE'])} ${pick(['/', '/p?q', 'http://h/'])} HTTP/1.${pick([1, 1, 0])}\r\n`;
      const text = line + fields + pick(['\r\n', '\r\nbody', '', '\r\n\r\n']);
      const [knowing, fresh] = both(known, text.slice(0, random() < 0.9 ? undefined : random() * text.length));
      assert.equal(knowing, fresh, JSON.stringify(text));
    }
  }
});

const replyFacts = (head: ResponseHead, length: number): unknown => {
  if (length <= 0) return length;
  const { status, statusText, minor, contentLength, chunked, close, hasDate, listed, kept, fieldsAt, fieldsEnd } = head;
  const fields = head.text.slice(fieldsAt, fieldsEnd);
  return { length, status, statusText, minor, contentLength, chunked, close, hasDate, listed, kept, fields };
};

test('random sequences of equal and different replies, with equal and different body lengths', () => {
  const random = seeded(5);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  const knowing = new ResponseHead();
  const statuses = ['200 OK', '204 No Content', '103 Early Hints', '404', '999 No', '304 Not Modified'];
  const lines = [
    'Date: x',
    'Content-Length: 5',
    'Connection: close',
    'X-A: b',
    'X-A:b',
    'Transfer-Encoding: chunked',
    'No',
  ];
  for (let i = 0; i < 5000; i++) {
    let fields = '';
    const count = Math.floor(random() * 4);
    for (let k = 0; k < count; k++) fields += `${pick(lines)}\r\n`;
    const text = `HTTP/1.${pick([1, 1, 0])} ${pick(statuses)}\r\n${fields}\r\n`;
    for (const body of ['', 'abcde', 'fghij', text, 'x'.repeat(5000)]) {
      const whole = (text + body).slice(0, random() < 0.9 ? undefined : random() * text.length);
      const fresh = new ResponseHead();
      const expected = replyFacts(fresh, fresh.parse(whole));
      assert.equal(replyFacts(knowing, knowing.parse(whole)), expected, JSON.stringify(whole));
    }
  }
});

test('replies read from a buffer that still contains older bytes', () => {
  const random = seeded(11);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  const buffer = Buffer.alloc(2048, 'x');
  const knowing = new ResponseHead();
  // Colliding lengths, and different heads of equal length.
  const texts = ['200 OK', '200 NO', '404 Not Found'].flatMap((status) =>
    [0, 5, 64, 128].map((fill) => `HTTP/1.1 ${status}\r\nX-Fill: ${'f'.repeat(fill)}\r\nContent-Length: 5\r\n\r\n`),
  );
  let known = 0;
  for (let i = 0; i < 5000; i++) {
    const text = pick(texts) + pick(['', 'abcde', 'fghij']);
    const from = Math.floor(random() * 3);
    const length = random() < 0.6 ? text.length : Math.floor(random() * text.length);
    const to = from + buffer.write(text.slice(0, length), from, 'latin1');
    const fresh = new ResponseHead();
    const expected = replyFacts(fresh, fresh.parse(buffer.toString('latin1', from, to)));
    assert.equal(replyFacts(knowing, knowing.read(buffer, from, to)), expected, `${length} of ${JSON.stringify(text)}`);
    if (knowing.known?.repeated) known++;
  }
  assert.ok(known > 500, 'many were known');
});

test('an incomplete head is not completed from older bytes of the buffer', () => {
  const head = new ResponseHead();
  const text = `HTTP/1.1 200 OK\r\nX-Fill: ${'f'.repeat(300)}\r\nContent-Length: 0\r\n\r\n`;
  const buffer = Buffer.from(text, 'latin1');
  for (let i = 0; i < 3; i++) assert.is(head.read(buffer, 0, buffer.length), text.length);
  assert.ok(head.known?.repeated);
  for (let to = 0; to < buffer.length; to++) assert.is(head.read(buffer, 0, to), 0, `${to} bytes`);
});

test('fields of more than 2 KiB are not remembered', () => {
  const known = new KnownFields();
  const text = `GET / HTTP/1.1\r\nHost: a\r\nX-Fill: ${'x'.repeat(3000)}\r\n\r\n`;
  for (let i = 0; i < 2; i++) assert.equal(...both(known, text));
  assert.is(known.find(Object.assign(new RequestHead(), { text, fieldsAt: 16 }), LIMITS), 0);
});

test.run();
