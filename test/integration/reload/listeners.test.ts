/** Address changes of listeners under traffic. */
import { createServer, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { whyNoSharing } from '../../../src/control/ports/addresses.js';
import { onlyWhere } from '../../support/only-where.js';
import { freePort } from '../../support/ports.js';
import { call, closeAll, Load, removeFolders, SpecFile, startGateway } from '../control-kit.js';

test.after.each(closeAll);
test.after(removeFolders);

const ROUTE = '[[route]]\nname = "a"\nmatch = "GET /a"\nreply = { body = "a" }\n';
const spec = (listeners: Record<string, string>, more = ''): string =>
  `spec = 1\n${more}${Object.entries(listeners)
    .map(([name, address]) => `[listener.${name}]\naddress = "${address}"\n`)
    .join('')}${ROUTE}`;

const CHANGES = [
  ['127.0.0.1', '0.0.0.0'],
  ['0.0.0.0', '127.0.0.1'],
  ['127.0.0.1', ''],
  ['', '127.0.0.1'],
  ['0.0.0.0', '[::]'],
  ['[::]', '0.0.0.0'],
] as const;
const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ family }) => family === 'IPv6'));

for (const inline of [true, false]) {
  test(`a listener moves between addresses of one port, ${inline ? 'inline' : 'in a worker'}`, async () => {
    const file = new SpecFile(spec({ main: `127.0.0.1:${await freePort()}` }));
    const { gateway, port } = await startGateway({ spec: file.path, inline });
    const url = `http://127.0.0.1:${port}/a`;
    for (const [from, to] of CHANGES) {
      if (!hasIpv6 && [from, to].includes('[::]')) continue;
      for (const host of [from, to]) {
        file.write(spec({ [`of${host.length}`]: `${host}:${port}` }));
        const reload = await gateway.reload();
        assert.is(reload?.outcome, 'live', `${from} ${to}: ${reload?.diagnostics}`);
        assert.is((await call(url)).body, 'a');
      }
    }
  });
}

onlyWhere(
  whyNoSharing() === undefined,
  'ports cannot be shared',
  test,
)('a listener moves between addresses of one port with several workers, and no request is lost', async () => {
  const file = new SpecFile(spec({ main: `127.0.0.1:${await freePort()}` }, 'workers = 2\n'));
  const { gateway, port } = await startGateway({ spec: file.path });
  const load = new Load();
  load.start(4, `http://127.0.0.1:${port}/a`, ({ body }) => (body === 'a' ? undefined : body), { agent: false });
  for (const host of ['0.0.0.0', '127.0.0.1', '0.0.0.0', '127.0.0.1']) {
    file.write(spec({ main: `${host}:${port}` }, 'workers = 2\n'));
    const reload = await gateway.reload();
    assert.is(reload?.outcome, 'live', reload?.diagnostics);
  }
  await load.stop();
  assert.equal(load.failures, []);
});

test('open connections survive a move of their listener, and new ones are accepted again at once', async () => {
  const file = new SpecFile(spec({ main: `127.0.0.1:${await freePort()}` }));
  const { gateway, port } = await startGateway({ spec: file.path });
  const load = new Load();
  load.start(4, `http://127.0.0.1:${port}/a`, ({ body }) => (body === 'a' ? undefined : body));
  for (let round = 0; round < 6; round++) {
    file.write(spec({ main: `${round % 2 === 0 ? '0.0.0.0' : '127.0.0.1'}:${port}` }));
    const reload = await gateway.reload();
    assert.is(reload?.outcome, 'live', reload?.diagnostics);
  }
  await load.stop();
  // Between the two sockets there is no listener for a fraction of a millisecond; connections are refused then.
  const refused = load.failures.filter((failure) => /ECONNREFUSED|ECONNRESET/.test(failure));
  assert.equal(load.failures.length, refused.length, load.failures.join('; '));
  assert.ok(refused.length <= 6, `${refused.length} of ${load.sent} refused`);
});

test('a move of a listener resets no connection that only the kernel has accepted', async () => {
  const file = new SpecFile(spec({ main: `127.0.0.1:${await freePort()}` }));
  const { gateway, port } = await startGateway({ spec: file.path });
  const load = new Load();
  load.start(20, `http://127.0.0.1:${port}/a`, ({ body }) => (body === 'a' ? undefined : body), { agent: false });
  for (const host of ['0.0.0.0', '127.0.0.1', '0.0.0.0', '127.0.0.1']) {
    file.write(spec({ main: `${host}:${port}` }));
    const reload = await gateway.reload();
    assert.is(reload?.outcome, 'live', reload?.diagnostics);
  }
  await load.stop();
  assert.equal(
    load.failures.filter((failure) => !failure.includes('ECONNREFUSED')),
    [],
  );
});

test('two listeners can swap ports and names', async () => {
  const [one, two] = [await freePort(), await freePort()];
  const file = new SpecFile(spec({ a: `127.0.0.1:${one}`, b: `127.0.0.1:${two}` }));
  const { gateway } = await startGateway({ spec: file.path, inline: true });
  for (const next of [
    { a: `127.0.0.1:${two}`, b: `127.0.0.1:${one}` },
    { a: `0.0.0.0:${one}`, b: `0.0.0.0:${two}` },
    { b: `127.0.0.1:${one}`, c: `0.0.0.0:${two}` },
  ]) {
    file.write(spec(next));
    const reload = await gateway.reload();
    assert.is(reload?.outcome, 'live', reload?.diagnostics);
    for (const port of [one, two]) assert.is((await call(`http://127.0.0.1:${port}/a`)).body, 'a');
  }
});

test('if the new address cannot be bound, the old one serves again', async () => {
  const file = new SpecFile(spec({ main: `127.0.0.1:${await freePort()}` }));
  const { gateway, port } = await startGateway({ spec: file.path, inline: true });
  const other = await occupy('127.0.0.2', port);
  file.write(spec({ main: `0.0.0.0:${port}` }));
  const reload = await gateway.reload();
  assert.is(reload?.outcome, 'rejected');
  assert.match(reload?.diagnostics ?? '', /error\[listener\/bind\][\s\S]*gateway\.toml:3/);
  assert.is((await call(`http://127.0.0.1:${port}/a`)).body, 'a');
  await new Promise((resolve) => other.close(resolve));
  assert.is((await gateway.reload())?.outcome, 'live');
  assert.is((await call(`http://127.0.0.1:${port}/a`)).body, 'a');
});

test('a load that fails after the port was handed over returns the port', async () => {
  const [free, taken] = [await freePort(), await freePort()];
  const file = new SpecFile(spec({ main: `127.0.0.1:${free}` }));
  const { gateway } = await startGateway({ spec: file.path, inline: true });
  const other = await occupy('127.0.0.1', taken);
  file.write(spec({ main: `0.0.0.0:${free}`, second: `127.0.0.1:${taken}` }));
  assert.is((await gateway.reload())?.outcome, 'rejected');
  assert.is((await call(`http://127.0.0.1:${free}/a`)).body, 'a');
  await new Promise((resolve) => other.close(resolve));
});

test('the admin API moves between addresses of one port', async () => {
  const port = await freePort();
  const admin = (host: string): string => `[admin]\naddress = "${host}:${port}"\ntoken = "s3cret-${'x'.repeat(20)}"\n`;
  const file = new SpecFile(spec({ main: '127.0.0.1:0' }) + admin('127.0.0.1'));
  const { gateway } = await startGateway({ spec: file.path, inline: true });
  for (const host of ['0.0.0.0', '127.0.0.1']) {
    file.write(spec({ main: '127.0.0.1:0' }) + admin(host));
    const reload = await gateway.reload();
    assert.is(reload?.outcome, 'live', reload?.diagnostics);
    assert.is((await call(`http://127.0.0.1:${port}/livez`)).status, 200);
  }
  const other = await occupy('127.0.0.2', port);
  file.write(spec({ main: '127.0.0.1:0' }) + admin('0.0.0.0'));
  const rejected = await gateway.reload();
  assert.is(rejected?.outcome, 'rejected');
  assert.match(rejected?.diagnostics ?? '', /admin\/bind/);
  assert.is((await call(`http://127.0.0.1:${port}/livez`)).status, 200);
  await new Promise((resolve) => other.close(resolve));
});

async function occupy(host: string, port: number): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return server;
}

test.run();
