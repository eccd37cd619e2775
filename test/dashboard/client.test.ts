import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Address, parseAddress, showAddress } from '../../src/dashboard/address.js';
import { AdminClient, AdminError, type EventHandlers } from '../../src/dashboard/client.js';
import { LineReader, LineTooLong } from '../../src/dashboard/ndjson.js';
import type { AdminEvent } from '../../src/telemetry/snapshot.js';
import { until } from '../support/until.js';
import { FakeGateway } from './fake-gateway.js';
import { withFolder } from './help.js';
import { record, reloads, snapshot } from './sample.js';

async function refusal(work: Promise<unknown>): Promise<AdminError> {
  try {
    await work;
  } catch (error) {
    assert.instance(error, AdminError);
    return error as AdminError;
  }
  throw new Error('it did not fail');
}

/** A server with the same reply to every request. */
async function answering(status: number, body: string, work: (address: Address) => Promise<void>): Promise<void> {
  const server: Server = createServer((_, response) => response.writeHead(status).end(body));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  try {
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await work({ kind: 'tcp', url, token: undefined });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

interface Heard extends EventHandlers {
  readonly events: AdminEvent[];
  readonly ends: AdminError[];
  opened: number;
}

function listener(): Heard {
  const heard: Heard = {
    events: [],
    ends: [],
    opened: 0,
    open: () => heard.opened++,
    event: (event) => heard.events.push(event),
    end: (error) => heard.ends.push(error),
  };
  return heard;
}

test('addresses are parsed', () => {
  const parse = (text: string): string => {
    const address = parseAddress(text, {}, '/here');
    return 'error' in address ? `error: ${address.error}` : `${address.kind} ${showAddress(address)}`;
  };
  assert.is(parse('/run/gw/7.sock'), 'socket /run/gw/7.sock');
  assert.is(parse('gw/7.sock'), 'socket /here/gw/7.sock');
  assert.is(parse('unix:7.sock'), 'socket /here/7.sock');
  assert.is(parse('http://10.0.0.5:9901'), 'tcp http://10.0.0.5:9901');
  assert.is(parse('https://gw.example.com/admin'), 'tcp https://gw.example.com');
  assert.is(parse('localhost:9901'), 'tcp http://localhost:9901');
  assert.is(parse('[::1]:9901'), 'tcp http://[::1]:9901');
  assert.match(parse(''), /empty/);
  assert.match(parse('ftp://x'), /not supported/);
  assert.match(parse('http://'), /not an address/);
  assert.match(parse('http://user:pw@host:1'), /GW_ADMIN_TOKEN/);
  const withToken = parseAddress('http://h:1', { GW_ADMIN_TOKEN: 'secret' }, '/');
  assert.is('token' in withToken && withToken.token, 'secret');
});

test('lines are split independently of chunk borders', () => {
  const bytes = Buffer.from('{"a":"é"}\n\n{"b":2}\n{"c"');
  for (let size = 1; size <= bytes.length; size++) {
    const reader = new LineReader(100);
    const lines: string[] = [];
    for (let at = 0; at < bytes.length; at += size) lines.push(...reader.push(bytes.subarray(at, at + size)));
    assert.equal(lines, ['{"a":"é"}', '{"b":2}'], `chunks of ${size}`);
  }
});

test('a line without an end is buffered up to a bound', () => {
  const reader = new LineReader(10);
  reader.push(Buffer.from('0123456789'));
  assert.throws(
    () => reader.push(Buffer.from('0')),
    (error: unknown) => error instanceof LineTooLong,
  );
});

test('snapshot and reload work over a Unix socket', async () => {
  await withFolder(async (directory) => {
    const gateway = await FakeGateway.start({ directory });
    const client = new AdminClient({ kind: 'socket', path: gateway.socket });
    assert.equal(await client.snapshot(), gateway.snapshot);
    assert.equal(await client.reload(), gateway.reloadAnswer);
    const rejected = reloads(Date.now())[0];
    assert.ok(rejected);
    gateway.reloadAnswer = rejected;
    assert.equal(await client.reload(), rejected, 'a rejected spec is an answer');
    assert.is(gateway.reloads, 2);
    await gateway.close();
  });
});

test('over TCP the token is sent, and the error names a missing token', async () => {
  const gateway = await FakeGateway.start({ token: 'sesame' });
  const url = new URL(gateway.url);
  const ask = (token: string | undefined): Promise<unknown> => new AdminClient({ kind: 'tcp', url, token }).snapshot();
  assert.equal(await ask('sesame'), gateway.snapshot);
  const without = await refusal(ask(undefined));
  assert.is(without.reason, 'unauthorized');
  assert.match(without.message, /requires a token: set GW_ADMIN_TOKEN/);
  const wrong = await refusal(ask('wrong'));
  assert.match(wrong.message, /refused the token in GW_ADMIN_TOKEN/);
  assert.not.match(wrong.message, /wrong/);
  const heard = listener();
  new AdminClient({ kind: 'tcp', url, token: 'wrong' }).events('off', heard);
  await until(() => heard.ends.length === 1, 'the end');
  assert.is(heard.ends[0]?.reason, 'unauthorized');
  assert.is(heard.opened, 0);
  await gateway.close();
});

test('for an address without a gateway the error names the cause', async () => {
  const socket = (path: string): Promise<AdminError> => refusal(new AdminClient({ kind: 'socket', path }).snapshot());
  assert.match((await socket('/nowhere/7.sock')).message, /there is no socket at \/nowhere\/7.sock/);
  await withFolder(async (directory) => {
    const gateway = await FakeGateway.start({ directory });
    const path = join(directory, 'other.sock');
    await gateway.close();
    assert.is((await socket(path)).reason, 'unreachable');
  });
  const closed = new URL('http://127.0.0.1:1');
  const refused = await refusal(new AdminClient({ kind: 'tcp', url: closed, token: undefined }).snapshot());
  assert.match(refused.message, /connection refused at http:\/\/127.0.0.1:1/);
});

test('replies that are not from a gateway are rejected with a reason', async () => {
  const refuses = async (status: number, body: string, expected: RegExp, maxBytes = 10_000): Promise<void> => {
    await answering(status, body, async (address) => {
      assert.match((await refusal(new AdminClient(address, { maxBytes }).snapshot())).message, expected);
    });
  };
  await refuses(200, '<html>', /not JSON/);
  await refuses(200, '{}', /not a snapshot/);
  await refuses(200, '[1]', /not a snapshot/);
  await refuses(200, '{"version":2}', /sends snapshot version 2, this gw reads version 1/);
  await refuses(200, '{"version":1,"gateway":{}}', /incomplete/);
  await refuses(404, 'no', /status 404/);
  await refuses(503, '{"detail":"The gateway is ending."}', /^The gateway is ending\.$/);
  await refuses(200, 'x'.repeat(20_000), /more than 10000 bytes/);
  await answering(200, '{"outcome":"maybe"}', async (address) => {
    assert.match((await refusal(new AdminClient(address).reload())).message, /does not describe the reload/);
  });
  await answering(500, 'no', async (address) => {
    assert.match((await refusal(new AdminClient(address).reload())).message, /status 500/);
  });
});

test('a gateway that never replies gives a timeout', async () => {
  const server = createServer(() => {});
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const client = new AdminClient({ kind: 'tcp', url, token: undefined }, { timeoutMs: 50 });
  assert.is((await refusal(client.snapshot())).reason, 'timeout');
  const heard = listener();
  client.events('off', heard);
  await until(() => heard.ends.length === 1, 'the end');
  assert.is(heard.ends[0]?.reason, 'timeout');
  server.closeAllConnections();
  server.close();
});

test('events: snapshots always, requests on demand, unknown types ignored', async () => {
  await withFolder(async (directory) => {
    const gateway = await FakeGateway.start({ directory });
    const client = new AdminClient({ kind: 'socket', path: gateway.socket });
    const quiet = listener();
    const curious = listener();
    const streams = [client.events('off', quiet), client.events('decisions', curious)];
    await until(() => quiet.events.length === 1 && curious.events.length === 1, 'both open');
    assert.equal(gateway.watched, ['', '?requests=1&decisions=1']);
    gateway.emitRaw('{"type":"weather","degrees":20}\n');
    gateway.emit({ type: 'requests', requests: [record(1)], dropped: 0 });
    gateway.emit({ type: 'reload', reload: gateway.reloadAnswer });
    await until(() => quiet.events.length === 2 && curious.events.length === 3, 'the reload');
    assert.equal(
      quiet.events.map((event) => event.type),
      ['snapshot', 'reload'],
    );
    assert.equal(
      curious.events.map((event) => event.type),
      ['snapshot', 'requests', 'reload'],
    );
    for (const stream of streams) stream.close();
    await until(() => gateway.streams === 0, 'the gateway to notice');
    assert.equal([...quiet.ends, ...curious.ends], [], 'close() is no end to hear of');
    const third = listener();
    client.events('records', third);
    await until(() => third.opened === 1, 'the third');
    assert.is(gateway.watched[2], '?requests=1');
    await gateway.close();
    await until(() => third.ends.length === 1, 'the end');
    assert.is(third.ends[0]?.reason, 'unreachable');
  });
});

test('a stream with invalid or too long lines is closed once', async () => {
  await withFolder(async (directory) => {
    const gateway = await FakeGateway.start({ directory });
    const client = new AdminClient({ kind: 'socket', path: gateway.socket }, { maxBytes: 100_000 });
    for (const [bytes, expected] of [
      ['not json\n', /not JSON/],
      ['7\n', /not an object/],
      ['{"type":"snapshot","snapshot":{"version":1}}\n', /incomplete/],
      ['x'.repeat(100_001), /longer than 100000 bytes/],
    ] as const) {
      const heard = listener();
      client.events('off', heard);
      await until(() => heard.events.length === 1, 'a snapshot');
      gateway.emitRaw(bytes);
      await until(() => heard.ends.length === 1, 'the end');
      assert.match(heard.ends[0]?.message ?? '', expected);
      await until(() => gateway.streams === 0, 'the gateway to notice');
    }
    await gateway.close();
  });
});

test('a snapshot of 10,000 routes is complete', async () => {
  await withFolder(async (directory) => {
    const gateway = await FakeGateway.start({ directory, snapshot: snapshot({}, { routes: 10_000 }) });
    const heard = listener();
    const stream = new AdminClient({ kind: 'socket', path: gateway.socket }).events('off', heard);
    await until(() => heard.events.length === 1, 'the snapshot');
    const [event] = heard.events;
    assert.is(event?.type === 'snapshot' && event.snapshot.routes.length, 10_000);
    stream.close();
    await gateway.close();
  });
});

test.run();
