/** A gateway whose targets are found while it runs. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConsulApi } from '../support/discovery-apis.js';
import {
  call,
  closeAll,
  closedLater,
  Load,
  removeFolders,
  SpecFile,
  startGateway,
  startOrigin,
  until,
} from './control-kit.js';

const test = suite('discovery');
test.after.each(closeAll);
test.after(removeFolders);

const specWith = (discover: string, more = ''): string => `
spec = 1
${more}
[listener.main]
address = "127.0.0.1:0"
[service.orders]
discover = ${discover}
[[route]]
name = "all"
match = "/{rest...}"
to = "orders"
`;

test('targets of a file and of Consul, under load, over outages, reloads and a restart', async () => {
  const [first, second] = [await startOrigin('first'), await startOrigin('second')];
  const spec = new SpecFile(specWith('"file:targets.json"'));
  const file = join(spec.folder, 'targets.json');
  const { gateway, url } = await startGateway({ spec: spec.path, inline: true });
  const none = await call(`${url}/`);
  assert.equal([none.status, JSON.parse(none.body).type], [503, 'urn:gw:problem:upstream/none']);
  const [duty] = gateway.snapshot().duties;
  assert.equal([duty?.policy, duty?.use, duty?.failing], ['file:targets.json', 'discover', true]);

  writeFileSync(file, JSON.stringify([first.url]));
  await until(() => gateway.snapshot().targets.length === 1, 'the first target');
  const load = new Load(5);
  const seen = new Set<string>();
  load.start(4, `${url}/`, ({ status, body }) => {
    seen.add(body.slice(0, 5));
    return status === 200 ? undefined : `status ${status}`;
  });
  writeFileSync(file, JSON.stringify({ targets: [second.url] }));
  await until(() => seen.has('secon'), 'the second target');
  rmSync(file);
  await until(() => gateway.snapshot().duties[0]?.failing === true, 'the outage');

  // An unrelated edit keeps the source and what it said.
  spec.write(specWith('"file:targets.json"', 'drain_timeout = "9s"'));
  assert.is((await gateway.reload())?.outcome, 'live');
  assert.match((await call(`${url}/`)).body, /^second/);

  const consul = closedLater(await new ConsulApi().listen());
  const port = Number(new URL(first.url).port);
  consul.set([{ address: '127.0.0.1', port }]);
  const state = `[state]\npath = "${join(spec.folder, 'state')}"`;
  const discover = `{ from = "consul:orders", address = "${consul.address}" }`;
  spec.write(specWith(discover, state));
  assert.is((await gateway.reload())?.outcome, 'live');
  seen.clear();
  await until(() => seen.has('first'), 'the target of the other source');
  await load.stop();
  assert.equal(load.failures, []);
  assert.equal(
    gateway.snapshot().duties.map(({ policy }) => policy),
    ['consul:orders'],
  );

  await gateway.close();
  consul.broken = 0;
  consul.cut();
  const again = await startGateway({ spec: spec.path, inline: true });
  assert.match((await call(`${again.url}/`)).body, /^first/, 'the targets of the last run');
});

test.run();
