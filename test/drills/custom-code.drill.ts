/** Reloads with new custom code leak no module, in a gateway and in the helper thread. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { policyWith, specWith } from '../custom/project.js';
import { call, closeAll, removeFolders, startGateway, temporaryFolder } from '../integration/control-kit.js';

test.after.each(closeAll);
test.after(removeFolders);

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

const RELOADS = 500;
/** Reloads that fill the bounded caches and histories. */
const WARM = 150;
/** Bytes that memory may have grown by between the two: one module with its table is larger than a fifth of that. */
const GROWTH = 2 * 1024 ** 2;
const LOOKS = 5;

/** The table makes a module that is not released visible: 128 KiB. */
const code = (version: number): string =>
  policyWith(
    `create: () => ({ after(_exchange, reply) { reply.headers.set('x-version', '${version}'); void table; return undefined; } })`,
    `const table = Array.from({ length: 16384 }, (_, at) => at + ${version} + 0.5);`,
  );

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

test(`${RELOADS} reloads with new code do not leak memory`, async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'gateway.toml'), specWith('./own.ts'));
  writeFileSync(join(folder, 'own.ts'), code(0));
  const { gateway, url, log } = await startGateway({ spec: join(folder, 'gateway.toml'), inline: true });
  let before = 0;
  for (let reload = 1; reload <= RELOADS; reload++) {
    writeFileSync(join(folder, 'own.ts'), code(reload));
    const result = await gateway.reload();
    assert.is(result?.outcome, 'live', result?.diagnostics);
    assert.is((await call(`${url}/hello`)).headers['x-version'], String(reload));
    log.lines.length = 0;
    if (reload === WARM) before = await used();
  }
  const grown = (await used()) - before;
  assert.ok(grown < GROWTH, `grew by ${grown} bytes over ${RELOADS - WARM} reloads`);
});

test.run();
