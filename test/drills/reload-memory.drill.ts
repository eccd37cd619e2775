/** Live and rejected reloads do not leak memory. */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { call, closeAll, removeFolders, startGateway, temporaryFolder, until } from '../integration/control-kit.js';

test.after.each(closeAll);
test.after(removeFolders);

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

const RELOADS = 500;
/** Reloads that fill the bounded caches and histories. */
const WARM = 150;
/**
 * Bytes that the heap and its buffers may have grown by between the two: a leak of 10 KB a reload is three times that.
 */
const GROWTH = 1024 ** 2;
/** Heap readings; the lowest one counts, because dropped objects may wait for finalizers. */
const LOOKS = 5;

const routes = Array.from(
  { length: 20 },
  (_, at) => `[[route]]\nname = "r${at}"\nmatch = "GET /r${at}/{id:int}"\nto = "orders"\n`,
).join('');
const spec = (version: number, more = ''): string => `spec = 1
[listener.main]
address = "127.0.0.1:0"
[service.orders]
targets = ["http://127.0.0.1:9"]
[policy.polite]
use = "rate-limit"
limit = "${10_000 + (version % 50)}/min"
by = "ip"
[[route]]
name = "version"
match = "GET /version"
reply = { body = "${version}" }
policies = ["polite", { use = "headers", reply.set = { x-version = "${version}" } }]
${routes}${more}`;

async function used(): Promise<number> {
  const looks: number[] = [];
  for (let look = 0; look < LOOKS; look++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    collect();
    const { heapUsed, external } = process.memoryUsage();
    looks.push(heapUsed + external);
  }
  return Math.min(...looks);
}

for (const [kind, broken] of [
  ['live', ''],
  ['rejected', '[[route]]\nname = "broken"\nmatch = "GET no-slash"\nto = "nowhere"\n'],
] as const) {
  test(`${RELOADS} ${kind} reloads do not leak memory`, async () => {
    const path = join(temporaryFolder(), 'gateway.toml');
    writeFileSync(path, spec(0));
    const { gateway, url, log } = await startGateway({ spec: path, watch: true, inline: true });
    let settled = 0;
    gateway.on('reload', ({ outcome }) => {
      if (outcome === kind) settled++;
    });
    let before = 0;
    for (let reload = 1; reload <= RELOADS; reload++) {
      writeFileSync(`${path}~`, spec(reload, broken.replace('no-slash', `no-slash-${reload}`)));
      renameSync(`${path}~`, path);
      await until(() => settled >= reload, `reload ${reload}`, 60_000);
      await call(`${url}/version`);
      // The log of the test keeps every line.
      log.lines.length = 0;
      if (reload === WARM) before = await used();
    }
    const grown = (await used()) - before;
    assert.is((await call(`${url}/version`)).body, kind === 'live' ? String(RELOADS) : '0');
    assert.ok(grown < GROWTH, `grew by ${grown} bytes over ${RELOADS - WARM} reloads`);
  });
}

test.run();
