/** What `gw init` prints as the next steps, typed by a shell. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { runGw, runProgram, ServedGateway } from './gw-process.js';
import { freePort } from './ports.js';

/** The commands below "Next:", without their comments. */
const stepsOf = (out: string): string[] =>
  [...out.slice(out.indexOf('\nNext:\n')).matchAll(/^ {2}(\S.*?)(?: {2,}#.*)?$/gm)].map(([, step = '']) => step);

/** Runs `gw init` with `args` in `folder`, then each step that it prints: they work in this order, and the first request gets 200. */
export async function firstHour(folder: string, args: readonly string[]): Promise<void> {
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
