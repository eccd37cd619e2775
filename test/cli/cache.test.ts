/** The command line of `gw cache`; what it does to gateways is in test/integration/cache/admin.test.ts. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { gw, inFolder } from './kit.js';

test('a wrong command line is a usage error, and no gateway is asked', async () => {
  for (const [argv, message] of [
    [['purge'], /Say what to purge: URLs, --route, --tag, or --all\./],
    [['purge', '/a'], /`\/a` is not an absolute URL/],
    [['purge', 'https://a/', '--concurrency', '2'], /--concurrency has no effect on gw cache purge\./],
    [['stats', '--soft'], /--soft has no effect on gw cache stats\./],
    [['stats', '/a'], /`\/a` is not an absolute URL/],
    [['warm', '--all'], /--all has no effect on gw cache warm\./],
    [['warm'], /Say what to request/],
    [['warm', 'a'], /not an absolute URL/],
    [['warm', 'http://a/', '--soft'], /--soft has no effect on gw cache warm\./],
    [['warm', 'http://a/', '--timeout', 'soon'], /`soon` is no duration/],
    [['warm', 'http://a/', '--concurrency', 'x'], /--concurrency is a number/],
    [['warm', 'http://a/', '-H', 'x'], /`x` is not a header field/],
    [['flush'], /stats, purge, warm/],
    [['stats', '--address', 'ftp://x'], /'ftp:\/\/' is not supported/],
  ] as const) {
    const { code, err } = await gw(['cache', ...argv]);
    assert.is(code, 2, argv.join(' '));
    assert.match(err, message);
  }
});

test('failures: no file, no gateway, as text and as JSON', async () => {
  await inFolder({}, async (cwd) => {
    const env = { GW_RUNTIME_DIR: `${cwd}/run` };
    const unread = await gw(['cache', 'warm', '--file', 'none.txt'], { cwd, env });
    assert.is(unread.code, 1);
    assert.match(unread.err, /Cannot read none\.txt/);
    const none = await gw(['cache', 'purge', '--all', '--json'], { cwd, env });
    assert.is(none.code, 1);
    const { error } = JSON.parse(none.out) as { error: { kind: string; message: string } };
    assert.is(error.kind, 'failed');
    assert.match(error.message, /gw cache --address/);
    const socket = await gw(['cache', 'stats', '--address', 'gone.sock'], { cwd, env });
    assert.is(socket.code, 1);
    assert.match(socket.err, /There is no socket at .*gone\.sock\./);
  });
});

test.run();
