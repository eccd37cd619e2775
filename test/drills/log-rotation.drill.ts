/** At least 100,000 requests while the access log is rotated in every way that keeps the old file: one line for each. */
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { removeFolders, temporaryFolder } from '../control/kit.js';
import { ServedGateway } from '../support/gw-process.js';

const REQUESTS = 100_000;
const CLIENTS = 10;
const BATCH = 20;
/** Milliseconds between two rotations. */
const ROTATE_EVERY = 40;
/** A fast machine sends further requests until there have been as many. */
const ROTATIONS = 24;

const test = suite('log rotation');
test.after(removeFolders);

/**
 * Sends batches of the requests `first`, `first + step` and so on, each with its number in its URL, until `done` is true of the number
 * of requests so far and all are answered. Returns that number.
 */
function client(port: number, first: number, step: number, done: (sent: number) => boolean): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let sent = 0;
    let answered = 0;
    let tail = '';
    const send = (): void => {
      let text = '';
      for (const end = sent + BATCH; sent < end; sent++) {
        text += `GET /${first + sent * step} HTTP/1.1\r\nHost: a.example\r\n\r\n`;
      }
      socket.write(text);
    };
    socket.setEncoding('latin1').on('data', (text: string) => {
      const all = tail + text;
      const parts = all.split('HTTP/1.1 204 ');
      answered += parts.length - 1;
      tail = (parts.at(-1) ?? '').slice(-16);
      if (answered < sent) return;
      if (done(sent)) {
        socket.end();
        resolve(sent);
      } else send();
    });
    socket.on('error', reject);
    socket.on('connect', send);
  });
}

test('none of 100,000 lines is lost with mv, mv and touch, SIGHUP and SIGUSR1 under load', async () => {
  const folder = temporaryFolder();
  const path = join(folder, 'access.log');
  const spec = join(folder, 'gateway.toml');
  writeFileSync(
    spec,
    'spec = 1\nworkers = 2\n[listener.main]\naddress = "127.0.0.1:0"\nmax_requests_per_connection = 1000000\n' +
      '[[route]]\nname = "all"\nmatch = "/{rest...}"\nreply = { status = 204 }\n',
  );
  const served = await ServedGateway.start([spec, '--access-log', path]);
  const port = Number(new URL(served.url).port);
  let rotations = 0;
  const rotate = (): void => {
    if (!existsSync(path)) return;
    const way = rotations++ % 4;
    renameSync(path, `${path}.${rotations}`);
    if (way === 1) writeFileSync(path, '', { flag: 'a' });
    if (way === 2) served.signal('SIGHUP');
    if (way === 3) served.signal('SIGUSR1');
  };
  const rotating = setInterval(rotate, ROTATE_EVERY);
  const done = (sent: number): boolean => sent >= REQUESTS / CLIENTS && rotations >= ROTATIONS;
  const sent = await Promise.all(Array.from({ length: CLIENTS }, (_, at) => client(port, at, CLIENTS, done)));
  clearInterval(rotating);
  assert.is(await served.stop(), 0);
  const times = new Map<number, number>();
  for (const name of readdirSync(folder)) {
    if (!name.startsWith('access.log')) continue;
    for (const line of readFileSync(join(folder, name), 'utf8').split('\n').filter(Boolean)) {
      const number = Number((JSON.parse(line) as { url: string }).url.slice(1));
      times.set(number, (times.get(number) ?? 0) + 1);
    }
  }
  const lost = sent.flatMap((count, at) =>
    Array.from({ length: count }, (_, index) => at + index * CLIENTS).filter((number) => !times.has(number)),
  );
  assert.is(lost.length, 0, 'lines that are lost');
  assert.is([...times.values()].filter((count) => count > 1).length, 0, 'lines that are written twice');
});

test.run();
