/** Idempotency keys on disk: gateways that are killed send no request twice. `npm run drills -- idempotency-disk` kills more. */
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Answer, closeAll, removeFolders, SpecFile, startGateway, temporaryFolder, until } from './control-kit.js';
import { Orders, order } from './orders.js';
import { killServed, Served } from './serve-kit.js';

let orders: Orders;
test.before.each(async () => {
  orders = await Orders.open();
});
test.after.each(async () => {
  killServed();
  await closeAll();
});
test.after(removeFolders);

const codeOf = ({ status, body }: Answer): string =>
  `${status} ${(JSON.parse(body) as { type: string }).type.slice(15)}`;

test('kill -9 while requests are in progress: nothing is sent again, and what was done is known', async () => {
  const { path } = new SpecFile(orders.spec(join(temporaryFolder(), 'state')));
  const first = new Served({ path });
  const url = await first.url();
  assert.is((await order(url, 'before')).status, 201);
  const cut = order(url, 'held', '/hold').then(
    () => 'answered',
    () => 'cut',
  );
  await until(() => orders.held.length === 1, 'the request');
  first.child.kill('SIGKILL');
  await first.exit;
  assert.is(await cut, 'cut');
  const second = new Served({ path });
  const again = await second.url();
  assert.is(codeOf(await order(again, 'held', '/hold')), '409 idempotency/unknown');
  const known = await order(again, 'before');
  // The reply may not have been written before the end.
  if (known.status === 201) assert.is(known.headers['idempotency-replayed'], 'true');
  else assert.is((JSON.parse(known.body) as { completed_status: number }).completed_status, 201);
  assert.is((await order(again, 'after')).status, 201);
  assert.equal(Object.fromEntries(orders.done), { before: 1, held: 1, after: 1 });
});

test('a restart keeps keys and replies; a second gateway cannot use the folder', async () => {
  const folder = join(temporaryFolder(), 'state');
  const { path } = new SpecFile(orders.spec(folder));
  const first = await startGateway({ spec: path, inline: true });
  assert.is((await order(first.url, 'k')).status, 201);
  assert.is((await order(first.url, 'k')).headers['idempotency-replayed'], 'true');
  let refusal: unknown;
  try {
    await startGateway({ spec: path, inline: true });
  } catch (error) {
    refusal = error;
  }
  assert.match(String((refusal as { report?: string; message: string }).message), /gateway\/load|uses it/);
  await until(() => first.log.lines.some(({ message }) => message === 'contents on disk are open'), 'the store');
  await first.gateway.close();
  const second = await startGateway({ spec: path, inline: true });
  let found: Answer | undefined;
  await until(async () => {
    found = await order(second.url, 'k');
    // Until the store is open, the reply is not found: the client is told to ask again.
    assert.is(found.headers['retry-after'], found.status === 201 ? undefined : '5');
    return found.status === 201;
  }, 'the reply');
  assert.equal([found?.body, found?.headers['idempotency-replayed']], ['order k', 'true']);
  assert.equal(Object.fromEntries(orders.done), { k: 1 });
});

test('a folder that comes with a reload is used; another one needs a restart', async () => {
  const [one, other] = [temporaryFolder(), temporaryFolder()];
  const spec = new SpecFile(
    orders
      .spec(one)
      .replace(/\[state\]\npath.*\n/, '')
      .replace('disk = true\n', ''),
  );
  const { url, gateway } = await startGateway({ spec: spec.path, inline: true });
  assert.is((await order(url, 'a')).status, 201);
  spec.write(orders.spec(one));
  assert.is((await gateway.reload())?.outcome, 'live');
  assert.is((await order(url, 'b')).status, 201);
  assert.is((await order(url, 'b')).headers['idempotency-replayed'], 'true');
  spec.write(orders.spec(other));
  assert.is((await gateway.reload())?.outcome, 'rejected');
  assert.is((await order(url, 'b')).headers['idempotency-replayed'], 'true');
});

test.run();
