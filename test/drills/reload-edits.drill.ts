/** The last saved content goes live, regardless of earlier saves, with and without file events. */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { call, closeAll, removeFolders, startGateway, temporaryFolder } from '../integration/control-kit.js';

test.after.each(async () => {
  delete process.env['CHOKIDAR_USEPOLLING'];
  delete process.env['CHOKIDAR_INTERVAL'];
  await closeAll();
});
test.after(removeFolders);

const LANES = 10;
const EDITS = 10;
/** Milliseconds for an edit to go live: some polls of the watcher, on a busy machine. */
const PATIENCE = 20_000;

const route = (name: string, body: string): string =>
  `[[route]]\nname = "${name}"\nmatch = "GET /${name}"\nreply = { body = "${body}" }\n`;
const spec = (body: string, include: boolean): string =>
  `spec = 1\n${include ? 'include = ["routes/*.toml"]\n' : ''}[listener.main]\naddress = "127.0.0.1:0"\n${route('a', body)}`;

/** Two saves each, 70 to 325 ms apart; the first changes the watched files. Returns the lost edits. */
async function lane(number: number): Promise<string[]> {
  const folder = temporaryFolder();
  const path = join(folder, 'gateway.toml');
  mkdirSync(join(folder, 'routes'));
  writeFileSync(join(folder, 'routes', 'b.toml'), route('b', 'b'));
  writeFileSync(path, spec('start', false));
  const { url } = await startGateway({ spec: path, watch: true, inline: true });
  const save = (text: string, edit: number): void => {
    const inPlace = edit % 3 === 2;
    writeFileSync(inPlace ? path : `${path}~`, text);
    if (!inPlace) renameSync(`${path}~`, path);
  };
  const lost: string[] = [];
  for (let edit = 0; edit < EDITS; edit++) {
    const include = edit % 2 === 0;
    save(spec(`${edit}-first`, include), edit);
    await delay(70 + ((number * EDITS + edit) * 255) / (LANES * EDITS));
    save(spec(`${edit}`, include), edit);
    const deadline = Date.now() + PATIENCE;
    while ((await call(`${url}/a`)).body !== `${edit}` && Date.now() < deadline) await delay(20);
    if ((await call(`${url}/a`)).body !== `${edit}`) lost.push(`lane ${number}, edit ${edit}`);
  }
  return lost;
}

for (const events of [true, false]) {
  test(`0 of ${LANES * EDITS} edits are lost, ${events ? 'with' : 'without'} file events`, async () => {
    if (!events) {
      process.env['CHOKIDAR_USEPOLLING'] = '1';
      process.env['CHOKIDAR_INTERVAL'] = '10000000';
    }
    const lost = await Promise.all(Array.from({ length: LANES }, (_, number) => lane(number)));
    assert.equal(lost.flat(), []);
  });
}

test.run();
