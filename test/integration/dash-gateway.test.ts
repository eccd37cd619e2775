/** The dashboard's feed and views on what a real gateway says: found, watched, reloaded, restarted. */
import '../dashboard/production.js';
import { mkdirSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { Text } from 'ink';
import { render } from 'ink-testing-library';
import { createElement } from 'react';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Gateway } from '../../src/control/gateway.js';
import { App } from '../../src/dashboard/app.js';
import { discover, rediscover } from '../../src/dashboard/discover.js';
import { type Connection, EventFeed } from '../../src/dashboard/feed.js';
import { press } from '../../src/dashboard/keys.js';
import { type Action, initialState, reduce, type State } from '../../src/dashboard/state.js';
import { themeFor } from '../../src/dashboard/theme.js';
import { withFolder } from '../dashboard/help.js';
import { until } from '../support/until.js';

const SPEC = `spec = 1

[listener.main]
address = "127.0.0.1:0"

[policy.polite]
use = "rate-limit"
limit = "2/min"
by = "ip"

[[route]]
name = "hello"
match = "GET /hello"
policies = ["polite"]
reply = { body = "hello\\n" }
`;

function call(address: string, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    get(`http://${address}${path}`, { agent: false }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    }).on('error', reject);
  });
}

test('a real gateway: found by its folder, its requests with decisions, reloads, a restart', async () => {
  await withFolder(async (folder) => {
    const spec = join(folder, 'gateway.toml');
    const runtimeDir = join(folder, 'run');
    mkdirSync(runtimeDir, { mode: 0o700 });
    writeFileSync(spec, SPEC);
    const start = (): Promise<Gateway> => Gateway.start({ spec, inline: true, runtimeDir, accessLog: null });
    let gateway = await start();
    const where = { env: { GW_RUNTIME_DIR: runtimeDir }, cwd: folder };
    const found = await discover(where);
    assert.is(found.kind === 'one' && found.why, 'here');
    if (found.kind !== 'one') return;

    const theme = themeFor({ LANG: 'C.UTF-8' });
    let state: State = initialState({ theme, size: { columns: 80, rows: 24 }, now: Date.now() });
    const dispatch = (action: Action): void => {
      state = reduce(state, action);
    };
    const typeKeys = (...keys: string[]): void => {
      for (const key of keys) dispatch({ type: 'change', change: press(state, key).change ?? {} });
    };
    const statuses: Connection['status'][] = [];
    const app = render(createElement(Text, {}, ' '));
    Object.defineProperty(app.stdout, 'columns', { value: 80 });
    const screen = (): string => {
      app.rerender(createElement(App, { state }));
      return app.lastFrame() ?? '';
    };
    const feed = new EventFeed({
      locate: async () => {
        const entry = await rediscover(found.entry, where);
        return entry && { kind: 'socket', path: entry.socket };
      },
      connection: (connection) => {
        statuses.push(connection.status);
        dispatch({ type: 'connection', connection, now: Date.now() });
      },
      batch: (batch) => dispatch({ type: 'batch', batch, now: Date.now() }),
      batchMs: 10,
      backoffMs: [10, 50],
    });
    feed.watch('decisions');
    feed.start();
    await until(() => state.snapshot !== undefined, 'a snapshot');
    const address = state.snapshot?.listeners[0]?.address ?? '';
    const answers = [];
    for (const path of ['/hello', '/hello', '/hello', '/nothing']) answers.push(await call(address, path));
    assert.equal(answers, [200, 200, 429, 404]);
    await until(() => state.tail.entries.length === 4, 'the requests');
    await until(() => (state.snapshot?.limits[0]?.refused ?? 0) === 1, 'the counts');

    assert.match(screen(), /hello +[\d.<]+ +3 +1 +0/);
    typeKeys('2');
    assert.match(screen(), /polite {2}2\/min by ip[\s\S]*127\.0\.0\.1 +█+ +2\/2 +in \d/);
    typeKeys('4', 'down', 'down', 'return');
    assert.match(screen(), /status {7}429[\s\S]*decisions[\s\S]*polite \(rate-limit\)/);

    writeFileSync(spec, SPEC.replace('policies = ["polite"]', 'policies = ["polit"]'));
    const rejected = await feed.reload();
    assert.is(rejected.outcome, 'rejected');
    await until(() => state.newest?.snapshot.reloads[0]?.outcome === 'rejected', 'the rejection');
    typeKeys('escape', '5');
    assert.match(screen(), /✗ rejected[\s\S]*generation 1 still serves[\s\S]*polit/);
    writeFileSync(spec, `${SPEC}\n[[route]]\nname = "more"\nmatch = "GET /more"\nreply = { body = "more" }\n`);
    assert.is((await feed.reload()).outcome, 'live');
    await until(() => state.newest?.snapshot.generation.id === 2, 'generation 2');
    assert.match(screen(), /gen 2[\s\S]*● live +2 /);

    await gateway.close();
    await until(() => statuses.at(-1) === 'lost', 'the loss');
    gateway = await start();
    await until(() => statuses.at(-1) === 'live', 'the return');
    await until(() => state.newest?.snapshot.generation.id === 1, 'its snapshot');
    feed.close();
    app.unmount();
    await gateway.close();
  });
});

test.run();
