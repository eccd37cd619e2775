/** A second `gw serve` on a port that is taken: it says by whom where it can know, ends with 1, and starts nothing. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Finished, runGw, ServedGateway } from '../support/gw-process.js';
import { freePort } from '../support/ports.js';

const folder = mkdtempSync(join(tmpdir(), 'gw-port-'));
const port = await freePort();
const listener = `spec = 1\n[listener.main]\naddress = "127.0.0.1:${port}"\n`;
writeFileSync(join(folder, 'gateway.toml'), `${listener}[[route]]\nmatch = "GET /"\nreply = { body = "one" }\n`);
// A managed target that would leave a trace if it were started.
writeFileSync(
  join(folder, 'other.toml'),
  `${listener}[service.app]\nrun = { command = "touch started" }\n[[route]]\nmatch = "GET /"\nto = "app"\n`,
);

test.after(() => rmSync(folder, { recursive: true }));

function refused({ code, out, err }: Finished): string {
  assert.is(code, 1);
  assert.is(out, '');
  assert.match(err, new RegExp(`^error\\[listener/bind\\]: .*127\\.0\\.0\\.1:${port}\\b.*`));
  assert.not.match(err, /^ +at /m);
  return err;
}

test('of a gateway: its spec and its process', async () => {
  const first = await ServedGateway.start([], { cwd: folder });
  const env = { ...process.env, GW_RUNTIME_DIR: first.runtimeDir };
  try {
    const again = refused(await runGw(['serve'], { cwd: folder, env }));
    assert.match(again, `This spec is already served by process ${first.pid}.`);
    const other = refused(await runGw(['serve', 'other.toml'], { cwd: folder, env }));
    assert.match(other, `The gateway of ${join(folder, 'gateway.toml')} uses this address. Stop it (Ctrl-C`);
    const init = await runGw(['init', 'shop', '--port', `${port}`], { cwd: folder, env });
    assert.match(
      init.out,
      `now: address already in use. The gateway of ${join(folder, 'gateway.toml')} uses this address.`,
    );
  } finally {
    assert.is(await first.stop(), 0);
  }
});

test('of another program: what to do, and no managed target is started', async () => {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  assert.is((server.address() as AddressInfo).port, port);
  const env = { ...process.env, GW_RUNTIME_DIR: join(folder, 'run') };
  const err = refused(await runGw(['serve', 'other.toml'], { cwd: folder, env }));
  assert.match(err, 'Another process uses this address. Stop it, or choose another port.');
  server.close();
});

test.run();
