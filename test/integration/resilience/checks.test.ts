/** Active checks in a gateway with a worker thread: what they find decides where requests go. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { call, closeAll, removeFolders, SpecFile, serveHttp, startGateway, until } from '../control-kit.js';

const test = suite('checks of a gateway');

test.after.each(closeAll);
test.after(removeFolders);

test('an unhealthy target gets no requests, through reloads, until its checks succeed', async () => {
  let well = false;
  const first = await serveHttp((request, response) => {
    response.statusCode = request.url === '/healthz' && !well ? 503 : 200;
    response.end('first');
  });
  const second = await serveHttp((_request, response) => response.end('second'));
  const third = await serveHttp((_request, response) => response.end('third'));
  const spec = (urls: readonly string[]): string => `
spec = 1
[listener.main]
address = "127.0.0.1:0"
[service.it]
targets = ${JSON.stringify(urls)}
[service.it.health]
path = "/healthz"
interval = "100ms"
unhealthy_after = 1
[[route]]
name = "all"
match = "/{rest...}"
to = "it"
`;
  const file = new SpecFile(spec([first.url, second.url]));
  const { gateway, url, log } = await startGateway({ spec: file.path });
  const bodies = async (): Promise<Set<string>> => {
    const found = new Set<string>();
    for (let at = 0; at < 8; at++) found.add((await call(url)).body);
    return found;
  };
  await until(() => log.find(/^target unhealthy/), 'the first target to be unhealthy');
  await until(async () => (await bodies()).size === 1, 'requests to go to the second target only');
  const snapshot = gateway.snapshot().targets.find((target) => target.url === first.url);
  assert.equal(
    [snapshot?.health, snapshot?.check?.state, snapshot?.check?.cause],
    ['unhealthy', 'unhealthy', 'status 503'],
  );
  file.write(spec([first.url, second.url, third.url]));
  await gateway.reload();
  assert.equal([...(await bodies())].sort(), ['second', 'third']);
  well = true;
  await until(async () => (await bodies()).size === 3, 'requests to all targets');
  assert.is(log.count(/^target healthy/), 1);
});

test('before_first_check = "unavailable": a target gets requests after its first successful check', async () => {
  let answer: (() => void) | undefined;
  const held = await serveHttp((request, response) => {
    if (request.url !== '/healthz') response.end('held');
    else if (answer === undefined) answer = () => response.end();
    else response.end();
  });
  const known = await serveHttp((_request, response) => response.end('known'));
  const file = new SpecFile(`
spec = 1
[listener.main]
address = "127.0.0.1:0"
[service.it]
targets = ["${known.url}", "${held.url}"]
health = { path = "/healthz", interval = "1h", timeout = "1m", before_first_check = "unavailable" }
[[route]]
name = "all"
match = "/{rest...}"
to = "it"
`);
  const { gateway, url } = await startGateway({ spec: file.path, inline: true });
  const states = (): string[] => gateway.snapshot().targets.map(({ check }) => check?.state ?? '');
  await until(() => states().includes('healthy') && answer, 'the check of the one, and that of the other to begin');
  const bodies = async (): Promise<Set<string>> => {
    const found = new Set<string>();
    for (let at = 0; at < 6; at++) found.add((await call(url)).body);
    return found;
  };
  assert.equal([...(await bodies())], ['known']);
  answer?.();
  await until(async () => (await bodies()).size === 2, 'requests to both');
});

test.run();
