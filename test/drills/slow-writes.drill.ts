/** A spec written slowly at any pace never goes live partially: no route is open or missing. */
import { appendFileSync, closeSync, openSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { call, closeAll, removeFolders, startGateway, temporaryFolder } from '../integration/control-kit.js';

test.after.each(closeAll);
test.after(removeFolders);

const GATEWAYS = 20;
const WRITES = 10;
const PATIENCE = 60_000;
/** Longer than two chunks, so that each split is at a different place. */
const PADDING = `# ${'padding '.repeat(12)}\n`.repeat(700);

const guarded = (name: string): string =>
  `[[route]]\nname = "${name}"\nmatch = "GET /${name}"\nreply = { body = "secret" }\npolicies = ["keys"]\n`;
const spec = (version: string, padding = ''): string => `spec = 1
[listener.main]
address = "127.0.0.1:0"
[policy.keys]
use = "api-key"
[consumer.acme]
api_keys = ["sha256:${'a'.repeat(64)}"]
${guarded('a')}${padding}[[route]]
name = "version"
match = "GET /version"
reply = { body = "${version}" }
${guarded('b')}`;

type Write = (path: string, text: string) => Promise<void>;

async function inSteps(path: string, steps: readonly string[], pause: (step: number) => number): Promise<void> {
  const file = openSync(path, 'w');
  for (const [at, step] of steps.entries()) {
    writeSync(file, step);
    await delay(pause(at));
  }
  closeSync(file);
}

const lines = (text: string): string[] => text.split(/(?<=\n)/);
const each =
  (ms: number): Write =>
  (path, text) =>
    inSteps(path, lines(text), () => ms);

const PACES: readonly (readonly [name: string, write: Write, padding?: string])[] = [
  ['a line each 5 ms', each(5)],
  ['a line each 35 ms', each(35)],
  ['a line each 110 ms', each(110)],
  [
    'one pause of 100 ms',
    async (path, text) => {
      const cut = Math.floor(Math.random() * text.length);
      await inSteps(path, [text.slice(0, cut), text.slice(cut)], () => 100);
    },
  ],
  ['chunks of 32 KiB', (path, text) => inSteps(path, text.match(/[\s\S]{1,32768}/g) ?? [], () => 60), PADDING],
  ['no final newline', (path, text) => inSteps(path, lines(text.trimEnd()), () => 60)],
  [
    'truncated, a pause, then written',
    async (path, text) => {
      truncateSync(path);
      await delay(250);
      writeFileSync(path, text);
    },
  ],
  [
    'a line each 60 ms, the file closed between them',
    async (path, text) => {
      writeFileSync(path, '');
      for (const line of lines(text)) {
        appendFileSync(path, line);
        await delay(60);
      }
    },
  ],
];

interface Seen {
  readonly wrong: string[];
  asked: number;
}

/** Requests all routes repeatedly until stopped. */
async function watchRoutes(url: string, seen: Seen, stopped: () => boolean): Promise<void> {
  while (!stopped()) {
    for (const [path, expected] of [
      ['/a', 401],
      ['/b', 401],
      ['/version', 200],
    ] as const) {
      const { status } = await call(url + path);
      seen.asked++;
      if (status !== expected) seen.wrong.push(`${path} answered ${status}`);
    }
    await delay(10);
  }
}

test(`no route is open or missing in ${GATEWAYS * WRITES} slow writes of every pace`, async () => {
  const seen: Seen = { wrong: [], asked: 0 };
  const lane = async (number: number): Promise<void> => {
    const path = join(temporaryFolder(), 'gateway.toml');
    writeFileSync(path, spec('start'));
    const { url } = await startGateway({ spec: path, watch: true, inline: true });
    let done = false;
    const client = watchRoutes(url, seen, () => done);
    for (let write = 0; write < WRITES; write++) {
      const [pace, how, padding] = PACES[(number + write) % PACES.length] ?? PACES[0]!;
      const version = `${number}-${write}`;
      await how(path, spec(version, padding));
      const deadline = Date.now() + PATIENCE;
      while ((await call(`${url}/version`)).body !== version) {
        if (Date.now() > deadline) seen.wrong.push(`${pace}: never live`);
        if (Date.now() > deadline) break;
        await delay(50);
      }
    }
    done = true;
    await client;
  };
  await Promise.all(Array.from({ length: GATEWAYS }, (_, number) => lane(number)));
  assert.equal([...new Set(seen.wrong)], []);
  assert.ok(seen.asked > 10_000, `${seen.asked} requests`);
});

test.run();
