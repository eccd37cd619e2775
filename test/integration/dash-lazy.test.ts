/** What `gw dash --once` and its help load: Ink and React are for the screen alone. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FakeGateway } from '../dashboard/fake-gateway.js';
import { withFolder } from '../dashboard/help.js';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

const HOOK = `
  import { appendFileSync } from 'node:fs';
  export async function load(url, context, next) {
    appendFileSync(process.env.LOADED, url + '\\n');
    return next(url, context);
  }`;

const PROGRAM = `
  import { register } from 'node:module';
  register('data:text/javascript,' + encodeURIComponent(process.env.HOOK));
  const { main } = await import(${JSON.stringify(MAIN)});
  await main(process.argv.slice(1));`;

/** Runs gw with a hook that notes each module; the packages that these are of. */
async function packagesLoadedBy(args: readonly string[], directory: string): Promise<Set<string>> {
  const loaded = join(directory, 'loaded.txt');
  const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM, '--', ...args], {
    env: { ...process.env, GW_RUNTIME_DIR: directory, LOADED: loaded, HOOK },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [status] = await once(child, 'exit');
  assert.is(status, 0);
  const found = readFileSync(loaded, 'utf8').matchAll(/node_modules\/((?:@[^/]+\/)?[^/]+)\//g);
  return new Set([...found].map((match) => match[1] ?? ''));
}

for (const args of [
  ['dash', '--once'],
  ['dash', '--once', '--json'],
  ['dash', '--help'],
]) {
  test(`gw ${args.join(' ')} loads neither ink nor react`, async () => {
    await withFolder(async (directory) => {
      const gateway = await FakeGateway.start({ directory });
      const packages = await packagesLoadedBy(args, directory);
      await gateway.close();
      for (const name of ['ink', 'react', 'react-reconciler', 'yoga-layout']) assert.not(packages.has(name), name);
      assert.ok(packages.has('commander'), 'the hook sees what is loaded');
    });
  });
}

test.run();
