/** What `gw init` prints as the next steps, typed by a shell: they work in this order, and the first request gets 200. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runGw, runProgram, ServedGateway } from '../support/gw-process.js';
import { freePort } from '../support/ports.js';

const folder = mkdtempSync(join(tmpdir(), 'gw-init-'));
test.after(() => rmSync(folder, { recursive: true }));

/** The commands below "Next:", without their comments. */
const stepsOf = (out: string): string[] =>
  [...out.slice(out.indexOf('\nNext:\n')).matchAll(/^ {2}(\S.*?)(?: {2,}#.*)?$/gm)].map(([, step = '']) => step);

async function firstHour(args: readonly string[]): Promise<void> {
  const port = await freePort();
  const init = await runGw(['init', 'my shop', '--port', `${port}`, ...args], { cwd: folder });
  assert.is(init.code, 0, init.err);
  const steps = stepsOf(init.out);
  const [enter, validate = '', example = '', serve = '', ...elsewhere] = steps;
  const dash = elsewhere.pop() ?? '';
  assert.is(enter, "cd 'my shop'");
  assert.match(serve, / serve$/);
  const cwd = join(folder, 'my shop');
  // Without this Node takes itself for the child of a test runner.
  const env: NodeJS.ProcessEnv = { ...process.env, NODE_TEST_CONTEXT: undefined };
  const type = async (command: string): Promise<string> => {
    const { code, out, err } = await runProgram('bash', ['-c', command], { cwd, env });
    assert.is(code, 0, `${command}\n${out}${err}`);
    return out;
  };
  const [gateway, , tested] = await Promise.all([ServedGateway.start([], { cwd }), type(validate), type(example)]);
  try {
    assert.is(gateway.url, `http://127.0.0.1:${port}`);
    assert.match(tested, /pass [1-9]/);
    assert.ok(elsewhere.length > 0);
    for (const request of elsewhere) assert.match(await type(request), /^HTTP\/1\.1 200 OK/);
    env['GW_RUNTIME_DIR'] = gateway.runtimeDir;
    assert.match(await type(`${dash} --once`), /[1-9]/);
  } finally {
    assert.is(await gateway.stop(), 0);
    rmSync(cwd, { recursive: true });
  }
}

for (const template of ['minimal', 'services', 'mock', 'openapi']) {
  test(`gw init -t ${template}: every printed step works`, () => firstHour(['-t', template]));
}

test('gw init --from: every printed step works while the service runs', async () => {
  const service = createServer((_, response) => response.end('[]')).listen(0, '127.0.0.1');
  await once(service, 'listening');
  const { port } = service.address() as AddressInfo;
  const document = readFileSync('templates/openapi/openapi.yaml', 'utf8').replace(
    '127.0.0.1:3000',
    `127.0.0.1:${port}`,
  );
  writeFileSync(join(folder, 'api.yaml'), document);
  try {
    await firstHour(['--from', 'api.yaml']);
  } finally {
    service.close();
  }
});

test.run();
