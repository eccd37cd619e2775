/** Tests of the fuzzer's reader and shrinker: a lenient oracle would hide every fault. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Dice } from './dice.js';
import { NodeOracle, readReply } from './node.js';
import { shrinkList } from './shrink.js';
import { bodyOf, NotCanonical, REQUEST_RULES, ReplyRules, WireReader } from './wire.js';

const OWN = 'host: a\r\nx-request-id: 1\r\nx-forwarded-for: 1.1.1.1\r\nx-forwarded-proto: http\r\n';

const reader = suite('the strict reader of requests');

const read = (text: string): WireReader => {
  const wire = new WireReader(REQUEST_RULES);
  wire.push(Buffer.from(text, 'latin1'));
  return wire;
};

const WRONG: Readonly<Record<string, string>> = {
  'a bare LF': `GET / HTTP/1.1\n${OWN}\r\n`,
  'a bare LF in a field': `GET / HTTP/1.1\r\nX: a\nY: b\r\n${OWN}\r\n`,
  'a bare CR': `GET / HTTP/1.1\r\nX: a\rb\r\n${OWN}\r\n`,
  NUL: `GET / HTTP/1.1\r\nX: \0\r\n${OWN}\r\n`,
  'a folded line': `GET / HTTP/1.1\r\nX: a\r\n b\r\n${OWN}\r\n`,
  'a space before the colon': `GET / HTTP/1.1\r\nX : a\r\n${OWN}\r\n`,
  'no space after the colon': `GET / HTTP/1.1\r\nX:a\r\n${OWN}\r\n`,
  'a space after a value': `GET / HTTP/1.1\r\nX: a \r\n${OWN}\r\n`,
  'two framings': `POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n${OWN}\r\n`,
  'two lengths': `POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 1\r\n${OWN}\r\n`,
  'a length with a leading zero': `POST / HTTP/1.1\r\ncontent-length: 01\r\n${OWN}\r\n`,
  'another coding': `POST / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n${OWN}\r\n`,
  'no Host': `GET / HTTP/1.1\r\n${OWN.slice(9)}\r\n`,
  'two Hosts': `GET / HTTP/1.1\r\nhost: b\r\n${OWN}\r\n`,
  'a hop-by-hop field': `GET / HTTP/1.1\r\nte: trailers\r\n${OWN}\r\n`,
  'an alias of a field of gw': `GET / HTTP/1.1\r\nX_Forwarded_For: 2.2.2.2\r\n${OWN}\r\n`,
  Connection: `GET / HTTP/1.1\r\nconnection: close\r\n${OWN}\r\n`,
  'Upgrade alone': `GET / HTTP/1.1\r\nupgrade: h2c\r\n${OWN}\r\n`,
  'HTTP/1.0': `GET / HTTP/1.0\r\n${OWN}\r\n`,
  'a fragment': `GET /#a HTTP/1.1\r\n${OWN}\r\n`,
  'the absolute form': `GET http://a/ HTTP/1.1\r\n${OWN}\r\n`,
  'a chunk extension': `POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n${OWN}\r\n1;a\r\nx\r\n0\r\n\r\n`,
  'a chunk longer than its size': `POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n${OWN}\r\n1\r\nxy\r\n0\r\n\r\n`,
  'a framing field in the trailers': `POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n${OWN}\r\n0\r\nHost: y\r\n\r\n`,
  'a trailer in another form': `POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n${OWN}\r\n0\r\nX:y\r\n\r\n`,
};

for (const [name, text] of Object.entries(WRONG)) {
  reader(`refuses ${name}`, () => {
    assert.throws(
      () => read(text),
      (error: Error) => error instanceof NotCanonical,
    );
  });
}

reader('reads several messages byte by byte', () => {
  const text =
    `POST /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n${OWN}\r\n2\r\nab\r\na\r\n0123456789\r\n0\r\n\r\n` +
    `POST /b HTTP/1.1\r\ncontent-length: 3\r\n${OWN}\r\nxyzGET /c HTTP/1.1\r\n${OWN}\r\n`;
  const wire = new WireReader(REQUEST_RULES);
  for (const byte of Buffer.from(text)) wire.push(Buffer.from([byte]));
  const read = wire.messages.map((message) => [
    message.first.split(' ')[1],
    bodyOf(message).toString(),
    message.complete,
  ]);
  assert.equal(read, [
    ['/a', 'ab0123456789', true],
    ['/b', 'xyz', true],
    ['/c', '', true],
  ]);
});

reader('reports an incomplete message', () => {
  const wire = read(`POST /a HTTP/1.1\r\ncontent-length: 3\r\n${OWN}\r\nxy`);
  assert.is(wire.open?.first, 'POST /a HTTP/1.1');
});

reader.run();

const replies = suite('the strict reader of replies');
const ID = 'date: now\r\nx-request-id: 1\r\n';

replies('knows which replies have no body', () => {
  const methods = ['HEAD', 'GET', 'GET', 'GET'];
  const wire = new WireReader(new ReplyRules((index) => methods[index]));
  wire.push(Buffer.from(`HTTP/1.1 200 OK\r\n${ID}content-length: 5\r\n\r\nHTTP/1.1 204 No Content\r\n${ID}\r\n`));
  wire.push(Buffer.from(`HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 304 Not Modified\r\n${ID}\r\n`));
  wire.push(Buffer.from(`HTTP/1.1 200 OK\r\n${ID}\r\nuntil the end`));
  assert.is(wire.messages.length, 5);
  assert.is(wire.open?.first, 'HTTP/1.1 200 OK');
  wire.end();
  assert.is(wire.open, undefined);
  assert.is(bodyOf(wire.messages[4]!).toString(), 'until the end');
});

for (const text of [
  `HTTP/1.1 204 No Content\r\n${ID}content-length: 0\r\n\r\n`,
  'HTTP/1.1 103 Early Hints\r\ncontent-length: 0\r\n\r\n',
  `HTTP/1.1 20 OK\r\n${ID}\r\n`,
  `HTTP/1.0 200 OK\r\n${ID}\r\n`,
  'HTTP/1.1 200 OK\r\ndate: now\r\n\r\n',
  'HTTP/1.1 200 OK\r\nx-request-id: 1\r\n\r\n',
  `HTTP/1.1 200 OK\r\n${ID}connection: x\r\n\r\n`,
  `HTTP/1.1 200 OK\r\n${ID}keep-alive: timeout=1\r\n\r\n`,
]) {
  replies(`does not take ${JSON.stringify(text)}`, () => {
    const wire = new WireReader(new ReplyRules(() => 'GET'));
    assert.throws(
      () => wire.push(Buffer.from(text)),
      (error: Error) => error instanceof NotCanonical,
    );
  });
}

replies.run();

const node = suite('Node as an oracle');

node('reads what came before what it cannot read', async () => {
  const text = 'POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nabGET /b HTTP/1.1\r\nHost : a\r\n\r\n';
  const { readings, error } = await new NodeOracle().read(Buffer.from(text));
  assert.is(readings.length, 1);
  assert.is(readings[0]!.complete, true);
  assert.is(Buffer.concat(readings[0]!.parts).toString(), 'ab');
  assert.is(error, 'HPE_INVALID_HEADER_TOKEN');
});

node('reports an incomplete body', async () => {
  const { readings } = await new NodeOracle().read(
    Buffer.from('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab'),
  );
  assert.is(readings[0]!.complete, false);
});

node('reads a close-delimited reply, incomplete without the close', async () => {
  const bytes = Buffer.from('HTTP/1.1 103 x\r\n\r\nHTTP/1.1 200 OK\r\nX-A: 1\r\n\r\nbody');
  const whole = await readReply('GET', bytes, true);
  assert.is(whole.complete, true);
  assert.is(whole.body.toString(), 'body');
  assert.equal(whole.fields, [['X-A', '1']]);
  assert.equal(whole.interims, [103]);
  const open = await readReply('GET', bytes, false);
  assert.is(open.complete, false);
  assert.is(open.head, true);
});

node('refuses two framing fields', async () => {
  const bytes = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n');
  const reading = await readReply('GET', bytes, true);
  assert.is(reading.head, false);
  assert.type(reading.error, 'string');
});

node.run();

const shrink = suite('shrinking');

shrink('keeps only the items that the failure needs', async () => {
  const items = Array.from({ length: 100 }, (_, index) => index);
  const kept = await shrinkList(items, async (left) => left.includes(13) && left.includes(77));
  assert.equal(kept, [13, 77]);
});

shrink('keeps all items if all are needed', async () => {
  assert.equal(await shrinkList([1, 2, 3], async (left) => left.length === 3), [1, 2, 3]);
});

shrink.run();

const dice = suite('dice');

dice('create the same case for the same seed and index, and different ones otherwise', () => {
  const numbers = (seed: number, index: number): number[] => {
    const one = Dice.ofCase(seed, index);
    return one.times(8, () => one.below(1000));
  };
  assert.equal(numbers(1, 2), numbers(1, 2));
  assert.not.equal(numbers(1, 2), numbers(1, 3));
  assert.not.equal(numbers(1, 2), numbers(2, 2));
});

dice('cut within the text, in order', () => {
  for (let index = 0; index < 200; index++) {
    const cuts = Dice.ofCase(5, index).cuts(50);
    assert.ok(cuts.every((cut, at) => cut > 0 && cut < 50 && (at === 0 || cut > cuts[at - 1]!)));
  }
});

dice.run();
