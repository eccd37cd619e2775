/** Hostile requests over HTTP/2: the decision of gw, and what reaches the target, are those of HTTP/1.1. */
import * as assert from 'uvu/assert';
import { EQUIVALENT, type HostileRequest, MALFORMED } from '../../support/http2/hostile-requests.js';
import { hpack } from '../../support/http2/hpack.js';
import { END_HEADERS, END_STREAM, frame, RawHttp2, Type } from '../../support/http2/raw-client.js';
import { type Arrived, ok } from '../engine-kit.js';
import { type EngineContext, sharedEngineSuite } from '../engine-suite.js';

const test = sharedEngineSuite('hostile requests over HTTP/2', {
  listener: 'max_headers = 40\nmax_header = "4KiB"\nmax_target = "1KiB"\nmax_body = "2KiB"',
});

/** Bytes of a frame. */
const MOST = 16_384;

let client: RawHttp2 | undefined;
let next = 1;
test.before.each(({ target }) => {
  target.arrived.length = 0;
  target.respond = ok('fine');
});
test.after(() => client?.destroy());

/** The frames of a request. */
function frames(id: number, { fields, body }: HostileRequest): Buffer[] {
  const block = hpack(fields);
  const parts = Array.from({ length: Math.max(1, Math.ceil(block.length / MOST)) }, (_, at) =>
    block.subarray(at * MOST, (at + 1) * MOST),
  );
  const all = parts.map((part, at) => {
    const flags = (at === parts.length - 1 ? END_HEADERS : 0) | (at === 0 && body === undefined ? END_STREAM : 0);
    return frame(at === 0 ? Type.Headers : Type.Continuation, flags, id, part);
  });
  return body === undefined ? all : [...all, frame(Type.Data, END_STREAM, id, Buffer.from(body))];
}

/** The status of the reply; 0: the stream was reset, or the connection ended. */
async function over2({ plane }: EngineContext, request: HostileRequest): Promise<number> {
  if (client === undefined || client.closed || next > 150) {
    client?.destroy();
    client = await RawHttp2.ready(plane.port);
    next = 1;
  }
  const id = next;
  next += 2;
  client.send(...frames(id, request));
  const one = client;
  const mine = (type: number) => one.frames.some((got) => got.type === type && got.stream === id);
  await one.until(() => one.closed || mine(Type.Headers) || mine(Type.RstStream), 'a decision');
  return mine(Type.Headers) ? await one.status(id) : 0;
}

/** The same in HTTP/1.1. */
async function over1({ plane }: EngineContext, { fields, body }: HostileRequest): Promise<number> {
  const of = (name: string): string => fields.find(([one]) => one === name)?.[1] ?? '';
  const lines = fields.filter(([name]) => !name.startsWith(':')).map(([name, value]) => `${name}: ${value}\r\n`);
  const text = `${of(':method')} ${of(':path')} HTTP/1.1\r\nhost: ${of(':authority')}\r\n${lines.join('')}\r\n${body ?? ''}`;
  const raw = plane.client();
  raw.send(text);
  let { status } = await raw.reply({ head: true });
  if (status === 100) ({ status } = await raw.reply({ head: true }));
  raw.destroy();
  return status;
}

/** What arrived, without what names the version or the request. */
const shown = (arrived: Arrived): string[] =>
  arrived.head
    .split('\r\n')
    .filter((line) => !/^(via|x-request-id):/i.test(line))
    .sort();

for (const request of EQUIVALENT)
  test(`as HTTP/1.1: ${request.what}`, async (context) => {
    const { target } = context;
    const expected = await over1(context, request);
    const before = target.arrived.map(shown);
    target.arrived.length = 0;
    const status = await over2(context, request);
    // Rules of HTTP/2 itself end in a reset: the same decision.
    if (status === 0) assert.ok(expected >= 400 && expected < 500, `reset instead of ${expected}`);
    else assert.is(status, expected);
    assert.equal(target.arrived.map(shown), before);
  });

for (const request of MALFORMED)
  test(`refused: ${request.what}`, async (context) => {
    const status = await over2(context, request);
    assert.ok(status === 0 || status === 400 || status === 501, `status ${status}`);
    assert.is(context.target.arrived.filter(({ head }) => head.includes('smuggled')).length, 0);
    // A body may show only after its head that it is not as long as announced.
    if (request.body === undefined) assert.is(context.target.arrived.length, 0);
  });

test('crumbs of a cookie become one field, and te: trailers and equal hosts pass', async (context) => {
  const fields = [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/v'],
    [':authority', 'a.example'],
    ['cookie', 'a=1'],
    ['te', 'trailers'],
    ['cookie', 'b=2'],
    ['host', 'A.example'],
    ['cookie', 'c=3; d=4'],
  ] as const;
  assert.is(await over2(context, { what: '', fields }), 200);
  const [{ head }] = context.target.arrived as [Arrived];
  assert.is(head.match(/^cookie:.*/gim)?.join(), 'cookie: a=1; b=2; c=3; d=4');
  assert.is(head.match(/^host:/gim)?.length, 1);
});

test.run();
