/** Floods over HTTP/2: the gateway's memory is bounded, and other connections are served meanwhile. */
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { GET, headers, hpack, integer, POST } from '../support/http2/hpack.js';
import { END_HEADERS, END_STREAM, frame, PREFACE, setting, Type, u32 } from '../support/http2/raw-client.js';
import { Bystander, DrillGateway } from './http2-kit.js';

/** Milliseconds of each flood, and connections at a time. */
const LASTS = 1200;
const CONNECTIONS = 8;
/** MiB that memory may grow by. */
const MOST_GROWTH = 160;
/** Milliseconds in which each request of the other connection is answered. */
const LATEST = 3000;
/** Frames in one write. */
const BATCH = 200;

interface Context {
  origin: Server;
  gateway: DrillGateway;
}
const test = suite<Context>('HTTP/2 floods');

test.before(async (context) => {
  const big = Buffer.alloc(4_000_000);
  context.origin = createServer((request, response) => {
    request.resume();
    response.end(request.url === '/big' ? big : 'fine');
  });
  await new Promise<void>((resolve) => context.origin.listen(0, '127.0.0.1', resolve));
  const { port } = context.origin.address() as AddressInfo;
  context.gateway = await DrillGateway.start(`
spec = 1
[listener.main]
address = "127.0.0.1:0"
max_body = "1KiB"
body_timeout = "1s"
max_requests_per_connection = 1000000000
[service.it]
targets = ["http://127.0.0.1:${port}"]
[[route]]
match = "/{rest...}"
to = "it"
`);
});
test.after(async ({ gateway, origin }) => {
  assert.is(await gateway.stop(), 0);
  origin.close();
});

const many = (make: (at: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: BATCH }, (_, at) => make(at)));
const id = (batch: number, at: number): number => 1 + 2 * (batch * BATCH + at);
const reset = (stream: number): Buffer => frame(Type.RstStream, 0, stream, u32(8));
const path = (name: string) => GET.map(([one, value]) => [one, one === ':path' ? name : value] as const);

/** A field of 3900 bytes that is in the table, and thousands of references to it. */
const bomb = Buffer.concat([
  hpack(GET),
  Buffer.from([0x40, 1, 0x61]),
  integer(3900, 7, 0),
  Buffer.alloc(3900, 98),
  Buffer.alloc(12_000, 0xbe),
]);

interface Flood {
  /** After the preface and SETTINGS. */
  readonly first?: Buffer;
  /** Sent again and again; `batch` counts from 0. */
  readonly more: (batch: number) => Buffer;
  readonly settings?: Buffer;
  /** The client does not read. */
  readonly deaf?: boolean;
}

const FLOODS: { readonly [what: string]: Flood } = {
  'rapid reset': { more: (batch) => many((at) => Buffer.concat([headers(id(batch, at), GET), reset(id(batch, at))])) },
  'streams that gw resets': {
    more: (batch) =>
      many((at) => Buffer.concat([headers(id(batch, at), GET), frame(Type.WindowUpdate, 0, id(batch, at), u32(0))])),
  },
  'malformed requests': { more: (batch) => many((at) => headers(id(batch, at), [...GET, ['te', 'gzip']])) },
  'refused requests': { more: (batch) => many((at) => headers(id(batch, at), [...GET, ['host', 'b.example']])) },
  CONTINUATION: {
    first: frame(Type.Headers, END_STREAM, 1, hpack(GET)),
    more: () => many(() => frame(Type.Continuation, 0, 1, hpack([['x-a', 'b'.repeat(100)]]))),
  },
  'empty CONTINUATION': {
    first: frame(Type.Headers, END_STREAM, 1, hpack(GET)),
    more: () => many(() => frame(Type.Continuation, 0, 1)),
  },
  'HPACK bombs': {
    more: (batch) => many((at) => frame(Type.Headers, END_HEADERS | END_STREAM, id(batch, at), bomb)),
  },
  SETTINGS: { more: () => many(() => frame(Type.Settings, 0, 0, setting(4, 65_535))) },
  'sizes of the table': { more: () => many((at) => frame(Type.Settings, 0, 0, setting(1, at % 2 === 0 ? 0 : 65_536))) },
  PING: { more: () => many(() => frame(Type.Ping, 0, 0, Buffer.alloc(8))) },
  'PING whose answers are not read': { more: () => many(() => frame(Type.Ping, 0, 0, Buffer.alloc(8))), deaf: true },
  'empty DATA': { first: headers(1, POST, END_HEADERS), more: () => many(() => frame(Type.Data, 0, 1)) },
  'padded DATA without content': {
    first: headers(1, POST, END_HEADERS),
    more: () => many(() => frame(Type.Data, 8, 1, Buffer.concat([Buffer.from([100]), Buffer.alloc(100)]))),
  },
  WINDOW_UPDATE: { more: () => many(() => frame(Type.WindowUpdate, 0, 0, u32(1))) },
  PRIORITY: { more: () => many((at) => frame(Type.Priority, 0, 1 + at * 2, Buffer.from([0, 0, 0, 0, 9]))) },
  'unknown frames': { more: () => many(() => frame(0xbe, 0, 0, Buffer.alloc(100))) },
  GOAWAY: { more: () => many(() => frame(Type.Goaway, 0, 0, u32(0, 0))) },
  'large replies without a window': {
    settings: setting(4, 0),
    more: (batch) => (batch === 0 ? many((at) => headers(id(0, at), path('/big'))) : Buffer.alloc(0)),
  },
  'large replies that are not read': {
    settings: setting(4, 0x7fff_ffff),
    first: frame(Type.WindowUpdate, 0, 0, u32(0x7fff_0000)),
    more: (batch) => (batch === 0 ? many((at) => headers(id(0, at), path('/big'))) : Buffer.alloc(0)),
    deaf: true,
  },
  'early replies without a window, which opens later': {
    settings: setting(4, 0),
    more: (batch) =>
      batch === 0
        ? many((at) =>
            Buffer.concat([headers(id(0, at), POST, END_HEADERS), frame(Type.Data, 0, id(0, at), Buffer.alloc(2000))]),
          )
        : many((at) => frame(Type.WindowUpdate, 0, id(0, at), u32(1))),
  },
  'bodies without an end': {
    more: (batch) =>
      batch === 0
        ? many((at) => headers(id(0, at), POST, END_HEADERS))
        : many((at) => frame(Type.Data, 0, id(0, at % 100), Buffer.alloc(10))),
  },
};

/** Floods until `until` on one connection after the other. Returns how many there were. */
async function flood(port: number, { first, more, settings, deaf }: Flood, until: number): Promise<number> {
  let connections = 0;
  while (performance.now() < until) {
    connections++;
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
    socket.on('error', () => undefined);
    if (deaf === true) socket.pause();
    else socket.resume();
    socket.write(
      Buffer.concat([PREFACE, frame(Type.Settings, 0, 0, settings ?? Buffer.alloc(0)), first ?? Buffer.alloc(0)]),
    );
    for (let batch = 0; performance.now() < until && !socket.destroyed && socket.writable; batch++) {
      const bytes = more(batch);
      const taken = bytes.length === 0 || socket.write(bytes);
      if (taken) await delay(bytes.length === 0 ? 100 : 1);
      else while (performance.now() < until && !socket.destroyed && socket.writableNeedDrain) await delay(5);
    }
    socket.destroy();
    await closed;
  }
  return connections;
}

for (const [what, one] of Object.entries(FLOODS))
  test(`${what}: bounded, and others are served`, async ({ gateway }) => {
    const before = gateway.memory;
    const bystander = new Bystander(gateway.port);
    const until = performance.now() + LASTS;
    let peak = 0;
    const floods = Promise.all(Array.from({ length: CONNECTIONS }, () => flood(gateway.port, one, until)));
    while (performance.now() < until) {
      peak = Math.max(peak, gateway.memory);
      await delay(50);
    }
    await floods;
    await bystander.stop();
    console.log(
      `${what}: ${Math.round(peak - before)} MiB, ${bystander.served} requests served, the slowest in ${Math.round(bystander.longest)} ms`,
    );
    assert.ok(peak - before < MOST_GROWTH, `${peak - before} MiB more`);
    assert.ok(bystander.longest < LATEST, `${bystander.longest} ms`);
    assert.ok(bystander.served > 0, `${bystander.served} requests`);
  });

test('the gateway has logged no bug', ({ gateway }) =>
  assert.not.match(gateway.log, /"message":"bug|TypeError|bad_alloc/));

test.run();
