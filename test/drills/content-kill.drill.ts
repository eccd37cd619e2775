/** Processes that write and read contents on disk, killed at any time: the store opens again, and nothing wrong is served. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openDatabase, removeStoreFolders, storeFolder } from '../state/content/disk/kit.js';
import { seededBelow } from '../support/random.js';
import { bodyOf, isRight, KEYS } from './content-kill-bodies.js';

const ROUNDS = 50;
const CHILD = fileURLToPath(new URL('./content-kill.js', import.meta.url));

interface Progress {
  readonly written: number;
  readonly damaged: number;
  readonly found: number;
}

const test = suite('content-kill');
test.after(removeStoreFolders);

/** Lets a process work on the store and kills it, `afterMs` after its store has opened. */
async function round(path: string, seed: number, afterMs: number): Promise<Progress> {
  const child = spawn(process.execPath, [CHILD, path, String(seed)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>;
  let last: Progress = { written: 0, damaged: 0, found: 0 };
  let timer: NodeJS.Timeout | undefined;
  const wrong: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    if (line.startsWith('wrong ')) wrong.push(line);
    if (!line.startsWith('progress ')) continue;
    last = JSON.parse(line.slice(9)) as Progress;
    if (last.written > 0) timer ??= setTimeout(() => child.kill('SIGKILL'), afterMs);
  }
  clearTimeout(timer);
  const [, signal] = await exited;
  assert.is(signal, 'SIGKILL', `round ${seed} ended by itself`);
  assert.equal(wrong, [], `round ${seed}`);
  assert.is(last.damaged, 0, `round ${seed}: records that do not verify`);
  return last;
}

/** Reads everything in this process. Returns how many contents there are. */
async function readAll(path: string): Promise<number> {
  const { database, memory } = openDatabase({ path, size: 32 * 1024 ** 2, now: Date.now });
  let found = 0;
  for (let key = 0; key < KEYS; key++) {
    const content = database.get({ owner: 'a', key: `k${key}` });
    if (content === undefined) continue;
    found++;
    const parts = [Buffer.from(content.body)];
    assert.is(isRight(key, { key: `k${key}`, ...content, parts, release: () => {} }), undefined);
  }
  assert.is(memory.stats().damaged, 0);
  assert.is(memory.stats().entries, found);
  await database.close();
  return found;
}

test(`nothing wrong is served after ${ROUNDS} kills, and the store opens each time`, async () => {
  const path = join(storeFolder(), 'contents');
  const below = seededBelow(11);
  let [written, found, kept] = [0, 0, 0];
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const progress = await round(path, seed, below(400));
    written += progress.written;
    found += progress.found;
    if (seed % 10 === 0) kept = await readAll(path);
  }
  assert.not.ok(existsSync(join(path, 'data.mdb.damaged')), 'no file was taken for damaged');
  assert.ok(written > 20 * ROUNDS, `${written} written`);
  assert.ok(found > ROUNDS, `${found} read`);
  assert.ok(kept > 20, `${kept} kept`);
});

test('the check of the drill sees a mixture', () => {
  const facts = { url: 'https://a.example/3', data: { key: 3, version: 1 } };
  const of = (body: Buffer) =>
    isRight(3, {
      key: 'k3',
      facts: facts as never,
      parts: [body],
      length: body.length,
      soft: false,
      release: () => {},
    });
  const body = bodyOf(3, 1);
  assert.is(of(body), undefined);
  bodyOf(3, 2).copy(body, 0, 0, 5);
  assert.match(of(body) ?? '', /not that of version 1/);
});

test.run();
