import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type LineFormat, lineWriter } from '../../../src/telemetry/log/access-line.js';
import { AccessLog } from '../../../src/telemetry/log/access-log.js';
import type { RequestRecord } from '../../../src/telemetry/snapshot.js';
import { onlyWhere } from '../../support/only-where.js';
import { requestRecord } from '../../support/records.js';
import { until } from '../../support/until.js';

const MODULE = new URL('../../../src/telemetry/log/access-log.js', import.meta.url).href;

const test = suite<{ folder: string }>('access log', { folder: '' });
const onUnix = onlyWhere(process.platform !== 'win32', 'there are no pipes in the file system', test);
const onFullDisk = onlyWhere(existsSync('/dev/full'), 'there is no /dev/full', test);
test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'gw-access-log-'));
});
test.after.each(({ folder }) => rmSync(folder, { recursive: true, force: true }));

const record = (extra: Partial<RequestRecord> = {}): RequestRecord =>
  requestRecord({
    at: Date.UTC(2030, 0, 2, 3, 4, 5, 6),
    remote: '192.0.2.1',
    host: 'api.example.com',
    url: '/orders/1?a=b',
    route: 'get-order',
    service: 'orders',
    target: 'http://127.0.0.1:4003',
    bytesOut: 12,
    durationMs: 1.23456,
    ...extra,
  });

/** The text of lines that a writer puts into a buffer, each after some other bytes. */
const lineFormatter = (format: LineFormat, color: boolean): ((record: RequestRecord) => string) => {
  const write = lineWriter(format, color);
  const bytes = Buffer.alloc(4096);
  return (given) => bytes.toString('utf8', 7, write(given, bytes, 7));
};

const lines = (path: string): string[] => readFileSync(path, 'utf8').split('\n').filter(Boolean);

test('a JSON line contains the whole record', () => {
  const line = lineFormatter('json', false)(record({ consumer: 'acme', upstreamMs: 0.5 }));
  assert.is(line.at(-1), '\n');
  assert.equal(JSON.parse(line), {
    time: '2030-01-02T03:04:05.006Z',
    id: 'id-1',
    remote: '192.0.2.1',
    method: 'GET',
    host: 'api.example.com',
    url: '/orders/1?a=b',
    status: 200,
    route: 'get-order',
    service: 'orders',
    target: 'http://127.0.0.1:4003',
    consumer: 'acme',
    bytesIn: 0,
    bytesOut: 12,
    durationMs: 1.235,
    upstreamMs: 0.5,
    error: null,
    cause: null,
  });
});

test('the cause follows the error in both formats', () => {
  const failed = record({ status: 502, error: 'upstream/invalid', cause: 'invalid reply: a "quoted" \u00fc' });
  const json = JSON.parse(lineFormatter('json', false)(failed));
  assert.equal([json.error, json.cause], [failed.error, failed.cause]);
  const bare = JSON.parse(lineFormatter('json', false)(record({ error: 'policy/answered' })));
  assert.equal([bare.error, bare.cause], ['policy/answered', null]);
  assert.match(lineFormatter('pretty', false)(failed), /upstream\/invalid \(invalid reply: a "quoted" ü\)\n$/);
});

test('a WebSocket is in both formats', () => {
  const webSocket = { messagesIn: 3, messagesOut: 2, closeCode: 1000, closedBy: 'client' } as const;
  assert.equal(JSON.parse(lineFormatter('json', false)(record({ webSocket }))).webSocket, webSocket);
  assert.match(lineFormatter('pretty', false)(record({ webSocket })), '[3 messages in, 2 out, 1000 by client]');
  const cut = { ...webSocket, closeCode: null, closedBy: null };
  assert.match(lineFormatter('pretty', false)(record({ webSocket: cut })), '2 out, no close]');
});

test('the calls of an exchange are in both formats', () => {
  const call = {
    name: 'product "é"\n',
    service: 'products',
    target: 'http://127.0.0.1:4001',
    method: 'GET',
    path: '/products/7',
    status: 200,
    error: null,
    startMs: 0.12345,
    durationMs: 12.5,
    bytes: 80,
  };
  const calls = [call, { ...call, name: 'stock', status: 0, error: 'upstream/timeout' }];
  const parsed = JSON.parse(lineFormatter('json', false)(record({ calls })));
  assert.equal(parsed.calls, [
    { ...call, startMs: 0.123 },
    { ...call, name: 'stock', status: 0, error: 'upstream/timeout', startMs: 0.123 },
  ]);
  assert.match(
    lineFormatter('pretty', false)(record({ calls })),
    String.raw`1.235ms [product "é"\x0a 200 12.5ms, stock upstream/timeout 12.5ms]`,
  );
  const stored = { ...call, name: 'kept', stored: true, target: null } as const;
  assert.match(lineFormatter('pretty', false)(record({ calls: [stored] })), '[kept 200 stored 12.5ms]');
  const many = Array.from({ length: 10 }, () => call);
  assert.match(lineFormatter('pretty', false)(record({ calls: many })), ', 2 more]');
});

test('a JSON line is valid JSON on one line for any text', () => {
  const format = lineFormatter('json', false);
  const odd = ['"', '\\', '\n', '\r', '\0', '\u2028', '\ud800', '\x7f', 'é', '𝄞', '\x1b[31m', '</script>', ''];
  for (const text of odd) {
    const line = format(
      record({ url: text, method: text, host: text, route: text, error: text, id: text, remote: text }),
    );
    assert.is(line.indexOf('\n'), line.length - 1);
    const parsed = JSON.parse(line) as { [key: string]: unknown };
    assert.is(parsed['url'], text);
    assert.is(parsed['error'], text);
  }
  const numbers = JSON.parse(
    format(record({ durationMs: Number.NaN, upstreamMs: Number.POSITIVE_INFINITY })),
  ) as object;
  assert.equal([Reflect.get(numbers, 'durationMs'), Reflect.get(numbers, 'upstreamMs')], [0, 0]);
});

test('durations are exact to the microsecond, from zero to years', () => {
  const format = lineFormatter('json', false);
  for (const ms of [
    0, 0.0004, 0.001, 0.0125, 0.999, 1, 1.1, 12.0101, 999.9999, 65_536.5, 2_147_483.647, 2_147_483.648, 1e12, -1,
  ]) {
    const { durationMs } = JSON.parse(format(record({ durationMs: ms }))) as { durationMs: number };
    assert.is(durationMs, Math.round(ms * 1000) / 1000, String(ms));
  }
});

test('route, service, target and consumer are correct when they change between lines', () => {
  const format = lineFormatter('json', false);
  for (let at = 0; at < 10_000; at++) {
    const parties = {
      route: at % 7 === 0 ? null : `r${at % 5000}`,
      service: at % 3 === 0 ? null : 's"',
      target: at % 2 === 0 ? 'http://a' : 'http://b',
      consumer: at % 5 === 0 ? 'acme' : null,
    };
    const parsed = JSON.parse(format(record(parties))) as { [key: string]: unknown };
    for (const [key, value] of Object.entries(parties)) assert.is(parsed[key], value);
  }
});

test('times are correct across seconds, in any order', () => {
  const format = lineFormatter('json', false);
  for (const at of [0, 999, 1000, 1999.9, 500, Date.UTC(2031, 11, 31, 23, 59, 59, 999), 86_400_000]) {
    const { time } = JSON.parse(format(record({ at }))) as { time: string };
    assert.is(time, new Date(Math.floor(at)).toISOString());
  }
  assert.is((JSON.parse(format(record({ at: Number.NaN }))) as { time: string }).time, '');
});

test('numbers of every size are correct', () => {
  const format = lineFormatter('json', false);
  for (const count of [0, 9, 10, 99, 100, 12_345, 2 ** 31 - 1, 2 ** 31, 2 ** 53 - 1]) {
    const parsed = JSON.parse(format(record({ bytesIn: count, bytesOut: count, status: 101 }))) as RequestRecord;
    assert.equal([parsed.bytesIn, parsed.bytesOut, parsed.status], [count, count, 101]);
  }
});

test('client, method and host are correct when they change between lines', () => {
  const format = lineFormatter('json', false);
  for (let at = 0; at < 200; at++) {
    const client = { remote: `192.0.2.${at % 3}`, method: at % 2 === 0 ? 'GET' : '', host: at % 5 === 0 ? '' : 'h"' };
    const parsed = JSON.parse(format(record(client))) as { [key: string]: unknown };
    for (const [key, value] of Object.entries(client)) assert.is(parsed[key], value);
  }
  assert.is(JSON.parse(lineFormatter('json', false)(record({ remote: '', method: '', host: '' }))).host, '');
});

test('a line that does not fit is not started', () => {
  for (const format of ['json', 'pretty'] as const) {
    const write = lineWriter(format, false);
    const bytes = Buffer.alloc(4096);
    const length = write(record(), bytes, 0);
    assert.ok(length > 0);
    assert.is(write(record(), bytes, bytes.length - length + 1), -1);
    for (const odd of ['\u0000', '\u2028', '"', '\ud800']) {
      const long = record({ url: odd.repeat(300), id: odd.repeat(20), error: odd.repeat(20) });
      for (let at = 0; at < bytes.length; at += 13) {
        const end = write(long, bytes, at);
        if (end >= 0) assert.is(bytes[end - 1], 0x0a);
      }
    }
  }
});

test('a pretty line is readable and has no control characters', () => {
  const format = lineFormatter('pretty', false);
  assert.is(format(record()), '03:04:05.006 200 GET  /orders/1?a=b get-order -> http://127.0.0.1:4003 1.235ms\n');
  const odd = format(
    record({ url: '/\x1b[2J\n', route: null, target: null, consumer: 'a\tb', error: 'x/y', status: 0 }),
  );
  assert.is(odd, '03:04:05.006 --- GET  /\\x1b[2J\\x0a no route as a\\x09b 1.235ms x/y\n');
  assert.match(lineFormatter('pretty', true)(record({ status: 503 })), '\x1b[31m503\x1b[0m');
});

test('lines reach the file in order, also many at once', async ({ folder }) => {
  const path = join(folder, 'access.log');
  const log = new AccessLog({ path, format: 'json' });
  for (let at = 0; at < 5000; at++) log.write(record({ bytesIn: at }));
  await log.flush();
  assert.equal(
    lines(path).map((line) => (JSON.parse(line) as { bytesIn: number }).bytesIn),
    Array.from({ length: 5000 }, (_, at) => at),
  );
  log.write(record({ bytesIn: 5000 }));
  await log.close();
  assert.is(lines(path).length, 5001);
  assert.is(log.dropped, 0);
});

test('lines longer than a batch and three-byte characters are written whole', async ({ folder }) => {
  const path = join(folder, 'access.log');
  const log = new AccessLog({ path, format: 'json' });
  const urls = ['/short', `/${'x'.repeat(200_000)}`, `/${'\u20ac'.repeat(30_000)}`, '/last'];
  for (const url of urls) log.write(record({ url }));
  await log.close();
  assert.equal(
    lines(path).map((line) => (JSON.parse(line) as { url: string }).url),
    urls,
  );
});

test('a line is written soon without a flush', async ({ folder }) => {
  const path = join(folder, 'access.log');
  const log = new AccessLog({ path, format: 'json' });
  log.write(record());
  const deadline = Date.now() + 5000;
  while (lines(path).length === 0 && Date.now() < deadline) await delay(5);
  assert.is(lines(path).length, 1);
  await log.close();
});

test('existing file content is kept', async ({ folder }) => {
  const path = join(folder, 'access.log');
  writeFileSync(path, 'before\n');
  const log = new AccessLog({ path, format: 'pretty' });
  log.write(record());
  await log.close();
  assert.is(lines(path).length, 2);
  assert.is(lines(path)[0], 'before');
});

/** Writes lines until `seen` returns true. */
async function writeUntil(log: AccessLog, seen: () => boolean): Promise<void> {
  const deadline = Date.now() + 8000;
  while (!seen()) {
    assert.ok(Date.now() < deadline, 'in time');
    log.write(record({ id: 'again' }));
    await log.flush();
    await delay(20);
  }
}

test('a moved file is reopened, and no line is lost', async ({ folder }) => {
  const path = join(folder, 'access.log');
  const log = new AccessLog({ path, format: 'json' });
  log.write(record({ id: 'old' }));
  await log.flush();
  renameSync(path, `${path}.1`);
  await writeUntil(log, () => existsSync(path) && lines(path).length > 0);
  log.write(record({ id: 'new' }));
  await log.close();
  assert.match(lines(`${path}.1`)[0]!, '"old"');
  assert.match(lines(path).at(-1)!, '"new"');
  assert.is(log.dropped, 0);
});

test('after removal of the folder, lines wait until it exists again, and none is lost', async ({ folder }) => {
  const inner = join(folder, 'logs');
  const path = join(inner, 'access.log');
  mkdirSync(inner);
  const messages: string[] = [];
  const log = new AccessLog({
    path,
    format: 'json',
    onError: ({ message }) => messages.push(message),
    onRecovered: (dropped) => messages.push(`again, ${dropped}`),
  });
  rmSync(inner, { recursive: true });
  log.write(record({ id: 'waits' }));
  await log.flush();
  assert.is(messages.length, 1);
  assert.match(messages[0]!, 'ENOENT');
  mkdirSync(inner);
  await until(() => messages.length > 1, 'the end of the fault');
  assert.match(lines(path)[0]!, '"waits"');
  assert.equal(messages.slice(1), ['again, 0']);
  await log.close();
});

for (const touch of [false, true]) {
  test(`the line after mv${touch ? ' and touch' : ''} goes to the new file`, async ({ folder }) => {
    const path = join(folder, 'access.log');
    const log = new AccessLog({ path, format: 'json' });
    for (let round = 0; round < 20; round++) {
      log.write(record({ id: `before-${round}` }));
      await log.flush();
      renameSync(path, `${path}.${round}`);
      if (touch) writeFileSync(path, '');
      log.write(record({ id: `after-${round}` }));
      await log.flush();
      assert.match(lines(path).at(-1)!, `"after-${round}"`);
      assert.match(lines(`${path}.${round}`).at(-1)!, `"before-${round}"`);
    }
    await log.close();
    assert.is(log.dropped, 0);
  });
}

test('a file truncated by copytruncate is written from its start', async ({ folder }) => {
  const path = join(folder, 'access.log');
  const log = new AccessLog({ path, format: 'json' });
  log.write(record({ id: 'old' }));
  await log.flush();
  truncateSync(path, 0);
  log.write(record({ id: 'new' }));
  await log.close();
  assert.is(lines(path).length, 1);
  assert.match(lines(path)[0]!, '"new"');
});

test('reopen() creates the file again without a line to write', async ({ folder }) => {
  const path = join(folder, 'access.log');
  const log = new AccessLog({ path, format: 'json' });
  renameSync(path, `${path}.1`);
  log.reopen();
  await until(() => existsSync(path), 'the file');
  await log.close();
});

test('lines go to the moved file while a new one cannot be created', async ({ folder }) => {
  const inner = join(folder, 'logs');
  const path = join(inner, 'access.log');
  mkdirSync(inner);
  const log = new AccessLog({ path, format: 'json' });
  renameSync(inner, join(folder, 'moved'));
  log.write(record({ id: 'kept' }));
  await log.flush();
  await log.close();
  assert.match(lines(join(folder, 'moved', 'access.log'))[0]!, '"kept"');
  assert.is(log.dropped, 0);
});

onUnix('a pipe without a reader is opened at once; a later reader gets the lines', async ({ folder }) => {
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  const since = performance.now();
  const messages: string[] = [];
  const log = new AccessLog({
    path,
    format: 'json',
    maxWaiting: 100_000,
    onError: ({ message }) => messages.push(message),
  });
  for (let at = 0; at < 2000; at++) log.write(record({ bytesIn: at }));
  await log.flush();
  assert.ok(performance.now() - since < 2000);
  assert.match(messages[0]!, 'without a reader');
  assert.ok(log.dropped > 0, 'what does not fit is counted');
  const reader = spawn('cat', [path], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  reader.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  const kept = 2000 - log.dropped;
  await until(() => text.split('\n').length > kept, 'the lines');
  log.write(record({ id: 'last' }));
  await log.close();
  await once(reader, 'close');
  const got = text.split('\n').filter(Boolean);
  assert.is(got.length, kept + 1);
  for (const line of got) JSON.parse(line);
});

onUnix('a pipe whose reader reconnects gets no partial line', async ({ folder }) => {
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  const log = new AccessLog({ path, format: 'json' });
  const reading = async (count: number): Promise<string[]> => {
    const reader = spawn('head', ['-n', String(count), path], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    reader.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    await once(reader, 'close');
    return text.split('\n').filter(Boolean);
  };
  for (let round = 0; round < 3; round++) {
    const read = reading(10);
    for (let at = 0; at < 500; at++) log.write(record({ bytesIn: at }));
    const got = await read;
    assert.is(got.length, 10);
    // The previous reader took the start of the first line: it reads in blocks.
    for (const line of got.slice(1)) JSON.parse(line);
  }
  await log.close();
});

onUnix('a blocked pipe reader blocks neither the writer nor the shutdown', async ({ folder }) => {
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  const reader = spawn('sh', ['-c', `exec < "${path}"; echo open; exec sleep 60`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const log = new AccessLog({ path, format: 'json', maxWaiting: 200_000 });
  log.write(record());
  await once(reader.stdout, 'data');
  const since = performance.now();
  for (let at = 0; at < 5000; at++) log.write(record());
  await log.close();
  assert.ok(performance.now() - since < 15_000);
  assert.ok(log.dropped > 0);
  reader.kill('SIGKILL');
});

onUnix('a folder and a socket are refused', async ({ folder }) => {
  assert.throws(() => new AccessLog({ path: folder, format: 'json' }), /it is a folder/);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(folder, 'socket'), resolve));
  assert.throws(() => new AccessLog({ path: join(folder, 'socket'), format: 'json' }), /it is a socket/);
  await new Promise((resolve) => server.close(resolve));
});

test('standard output under another name has the same writer', async () => {
  const taken: number[] = [];
  const log = new AccessLog({ path: '/dev/fd/1', format: 'json', take: (_, count) => taken.push(count) });
  log.write(record());
  await log.flush();
  await log.close();
  assert.equal(taken, [1]);
});

onFullDisk('lines waiting for a full disk use only the memory of their length', async () => {
  const log = new AccessLog({ path: '/dev/full', format: 'json' });
  const before = process.memoryUsage().arrayBuffers;
  for (let at = 0; at < 1000; at++) {
    log.write(record());
    await log.flush();
  }
  const grown = process.memoryUsage().arrayBuffers - before;
  assert.ok(grown < 8 * 1024 ** 2, `${grown} bytes for 1000 lines`);
  await log.close();
  assert.is(log.dropped, 1000, 'what could not be written at the end is counted as well');
});

test('a file that cannot be opened is an error at once', ({ folder }) => {
  assert.throws(() => new AccessLog({ path: join(folder, 'no', 'such', 'folder'), format: 'json' }), /ENOENT/);
});

onFullDisk('a full disk loses lines but does not end the gateway; the loss is reported on close', async () => {
  const messages: string[] = [];
  let reportedLoss = 0;
  const log = new AccessLog({
    path: '/dev/full',
    format: 'json',
    maxWaiting: 10_000,
    onError: (error, dropped) => {
      messages.push(error.message);
      reportedLoss = dropped;
    },
  });
  for (let at = 0; at < 20; at++) {
    for (let line = 0; line < 10; line++) log.write(record());
    await log.flush();
  }
  assert.is(messages.length, 1);
  assert.match(messages[0]!, 'ENOSPC');
  assert.ok(log.dropped > 100, String(log.dropped));
  await log.close();
  assert.is(messages.length, 2);
  assert.is(reportedLoss, 200);
});

test('lines after close are counted as lost', async ({ folder }) => {
  const log = new AccessLog({ path: join(folder, 'a.log'), format: 'json' });
  await log.close();
  await log.close();
  log.write(record());
  await log.flush();
  assert.is(log.dropped, 1);
});

test('`-` is standard output, which stays open', () => {
  const script = `
    import { AccessLog } from ${JSON.stringify(MODULE)};
    const log = new AccessLog({ path: '-', format: 'json' });
    const record = ${JSON.stringify(record())};
    for (let at = 0; at < 3; at++) log.write(record);
    await log.close();
    console.log('after');`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  assert.is(output.trim().split('\n').length, 4);
  assert.is(output.trim().split('\n').at(-1), 'after');
});

test('a closed standard output does not end the gateway', async () => {
  const flood = `
    import { AccessLog } from ${JSON.stringify(MODULE)};
    const log = new AccessLog({ path: '-', format: 'json' });
    const record = ${JSON.stringify(record())};
    while (log.dropped === 0) {
      for (let at = 0; at < 1000; at++) log.write(record);
      await log.flush();
    }
    await log.close();
    console.error('survived');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', flood], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.once('data', () => child.stdout.destroy());
  let output = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const [code] = (await once(child, 'close')) as [number];
  assert.match(output, 'survived');
  assert.is(code, 0);
});

test.run();
