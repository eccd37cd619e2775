import { readFileSync } from 'node:fs';
import { seeded } from '../support/random.js';
import './production.js';
import { Text } from 'ink';
import { render } from 'ink-testing-library';
import { createElement } from 'react';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { App } from '../../src/dashboard/app.js';
import { press } from '../../src/dashboard/keys.js';
import { snapshotText } from '../../src/dashboard/once.js';
import { initialState, reduce, type State } from '../../src/dashboard/state.js';
import { width } from '../../src/dashboard/text.js';
import { styleOf, themeFor } from '../../src/dashboard/theme.js';
import { RATE_SECONDS, type Snapshot } from '../../src/telemetry/snapshot.js';
import { SecondsRing } from '../../src/telemetry/stats/seconds-ring.js';
import { idleSnapshot } from './fake-gateway.js';
import { duties, limits, record, reloads, route, routes, snapshot, targets } from './sample.js';

interface Scene {
  readonly size?: { columns: number; rows: number };
  readonly env?: NodeJS.ProcessEnv;
  readonly snapshot?: Snapshot | undefined;
  readonly requests?: number;
}

const NOW = 1_790_000_000_000;
const SMALL = { columns: 80, rows: 24 };
const LARGE = { columns: 200, rows: 50 };

function scene(options: Scene, ...keys: string[]): State {
  const theme = themeFor(options.env ?? { LANG: 'C.UTF-8' });
  let state = initialState({ theme, size: options.size ?? SMALL, now: NOW, home: '/srv' });
  state = reduce(state, { type: 'connection', connection: { status: 'live', where: 'x' }, now: NOW });
  const shown = 'snapshot' in options ? options.snapshot : snapshot();
  const requests = Array.from({ length: options.requests ?? 80 }, (_, index) => record(index));
  state = reduce(state, {
    type: 'batch',
    batch: { snapshot: shown, receivedAt: NOW, recent: [], requests, dropped: 0, reloads: [] },
    now: NOW,
  });
  for (const key of keys) {
    const { change } = press(state, key);
    if (change) state = reduce(state, { type: 'change', change });
  }
  return state;
}

const apps = new Map<number, ReturnType<typeof render>>();

/** The Ink output of a state. The test library's terminal has 100 columns, so the real width is passed. */
function frameOf(state: State): string[] {
  const { columns } = state.size;
  let app = apps.get(columns);
  if (!app) {
    app = render(createElement(Text, {}, ' '));
    Object.defineProperty(app.stdout, 'columns', { value: columns });
    apps.set(columns, app);
  }
  app.rerender(createElement(App, { state }));
  return (app.lastFrame() ?? '').split('\n');
}

test.after(() => {
  for (const app of apps.values()) app.unmount();
});

function check(state: State, what: string): string {
  const lines = frameOf(state);
  assert.is(lines.length, state.size.rows, `${what}: rows`);
  for (const line of lines)
    assert.ok(width(line) <= state.size.columns, `${what}: ${width(line)} columns in ${JSON.stringify(line)}`);
  return lines.join('\n');
}

const SCREENS: readonly (readonly string[])[] = [
  ['1'],
  ['1', 'down', 's', 'S'],
  ['1', 'return'],
  ['1', '/', 'o', 'r'],
  ['1', '/', 'z', 'z', 'z', 'return'],
  ['2'],
  ['2', 'down', 'down'],
  ['2', '/', 'z', 'z', 'z'],
  ['3'],
  ['3', 'down', 'down'],
  ['3', '/', 'z', 'z', 'z'],
  ['4'],
  ['4', 'f'],
  ['4', 'down'],
  ['4', 'return'],
  ['4', 'return', 'end'],
  ['4', '/', 'z', 'z', 'z'],
  ['5'],
  ['5', 'down'],
  ['5', '/', 'z', 'z', 'z'],
  ['6'],
  ['6', 'down', 'down', 'return'],
  ['6', '/', 'z', 'z', 'z'],
  ['?'],
  ['?', 'end'],
  ['p'],
];

test('every screen fits every terminal, in UTF-8 and in ASCII', () => {
  const sizes = [SMALL, LARGE, { columns: 60, rows: 16 }, { columns: 121, rows: 33 }, { columns: 150, rows: 20 }];
  for (const [index, size] of [...sizes, SMALL, { columns: 60, rows: 16 }].entries()) {
    const ascii = index >= sizes.length;
    for (const keys of SCREENS) {
      const what = `${size.columns}x${size.rows} ${ascii ? 'ASCII' : 'UTF-8'} ${keys.join(' ')}`;
      const text = check(scene({ size, env: { LANG: ascii ? 'C' : 'C.UTF-8' } }, ...keys), what);
      if (ascii) assert.match(text, /^[\x20-\x7e\n]*$/, what);
    }
  }
});

test('the rate in the heading and the rate in the table are both the mean of ten seconds', () => {
  const all = new SecondsRing(120);
  const own = new SecondsRing(RATE_SECONDS);
  // 100 requests in the seventh second before now; one per second before that.
  for (let second = 120; second >= 1; second--) {
    const amount = second === 7 ? 100 : second > 10 ? 1 : 0;
    for (const ring of [all, own]) ring.add(amount, NOW - second * 1000, NOW - second * 1000);
  }
  const full = snapshot({ routes: [route('only', { requestsPerSecond: own.mean(NOW) })] });
  const shown = { ...full, traffic: { ...full.traffic, requestsPerSecond: all.values(NOW) } };
  assert.match(check(scene({ snapshot: shown, size: LARGE }, '1'), 'traffic'), /requests 10\/s[\s\S]* only .* 10 /);
  assert.match(
    snapshotText({ snapshot: shown, receivedAt: NOW, ageMs: 0 }),
    /^requests .* 10\/s,[\s\S]*^ {2}only .* 10 /m,
  );
});

test('the summary shows expiries of consumers, callers that were not identified, and how many more there are', () => {
  const shown = snapshot();
  const printed = (consumers: Snapshot['consumers']): string =>
    snapshotText({ snapshot: { ...shown, consumers }, receivedAt: NOW, ageMs: 0 })
      .split('\nconsumers\n')[1]!
      .split('\n\n')[0]!;
  const text = printed(shown.consumers);
  assert.match(text, /LAST SEEN +EXPIRES\n/);
  assert.match(text, /^ {2}acme .* in \d+d( \d+h)?$/m);
  assert.match(text, /^ {2}\(not identified\) +- .* auth\/invalid .* -$/m);
  assert.not.match(text, 'more');
  const many = { ...shown.consumers, declared: 104 };
  assert.match(printed(many), /\n {2}and 100 more \(--json prints those that were seen last\)$/);
  const none = { declared: 0, shown: [], unknown: shown.consumers.unknown };
  assert.match(printed(none), /^ {2}\(not identified\)/m, 'a gateway without consumers');
});

test('the views of an idle gateway explain what they show and how to get data', () => {
  const idle = { snapshot: idleSnapshot(NOW), requests: 0 };
  assert.match(check(scene(idle, '1'), 'traffic'), /no traffic now: try {2}curl -i http:\/\/127\.0\.0\.1:8080\//);
  assert.match(check(scene(idle, '2'), 'limits'), /use = "rate-limit"/);
  assert.match(check(scene(idle, '3'), 'targets'), /no service of this spec has a target/);
  assert.match(check(scene(idle, '4'), 'requests'), /requests show here when they have ended: try[\s\S]*curl -i/);
  assert.match(check(scene(idle, '5'), 'reloads'), /the spec has not changed since/);
  assert.match(check(scene(idle, '6'), 'consumers'), /this spec has no consumers[\s\S]*gw keys new acme/);
  const bare = { snapshot: { ...idleSnapshot(NOW), routes: [], listeners: [] }, requests: 0 };
  assert.match(check(scene(bare, '1'), 'no routes'), /no route yet/);
});

test('a view without matching rows says how many rows exist', () => {
  const none = (view: string): string => check(scene({}, view, '/', 'z', 'z', 'z'), view);
  assert.match(none('1'), /none of 10 routes passes the filter/);
  assert.match(none('2'), /none of 3 limits passes the filter/);
  assert.match(none('3'), /none of 5 targets passes the filter/);
  assert.match(none('4'), /none of the last 80 requests passes the filter/);
  assert.match(none('5'), /none of 3 reloads passes the filter/);
  assert.match(none('6'), /none of 4 consumers passes the filter/);
});

test('Traffic shows figures, the table and the selected route', () => {
  const text = check(scene({}, '1', 'down'), 'traffic');
  assert.match(text, /p50 {6}1\.2ms/);
  assert.match(text, /in flight {4}9/);
  assert.match(text, /ROUTE.*REQ\/S▼.*P99/);
  assert.match(text, /^▸ /m);
  assert.match(text, /10 routes .*(GET|POST) \//);
  const wide = check(scene({ size: LARGE }, '1'), 'wide');
  assert.match(wide, /listeners.*[\s\S]*main {2}http:\/\/127\.0\.0\.1:8080 +64 open/);
  assert.match(wide, /MATCH.*TO.*POLICIES/);
});

test('Traffic counts the listeners that do not fit', () => {
  const many = Array.from({ length: 20 }, (_, index) => ({
    name: `l${index}`,
    address: `[::]:${index}`,
    tls: true,
    connections: 1,
  }));
  assert.match(check(scene({ size: LARGE, snapshot: snapshot({ listeners: many }) }), 'listeners'), /and \d+ more/);
});

test('the details pane shows a route', () => {
  const text = check(scene({}, '/', ...'policy:strict', 'return', 'return'), 'detail');
  assert.match(text, /match {8}POST \/orders\/\{id:int\}\/payments/);
  assert.match(text, /policies {5}keys, strict/);
  assert.match(text, /2xx.*%.*█/);
});

test('Limits shows bars, numbers and words, not only colours', () => {
  const text = check(scene({}, '2'), 'limits');
  assert.match(text, /polite {2}100\/min by consumer/);
  assert.match(text, /acme +█+ +100\/100 +in 0\.5s/);
  assert.match(text, /globex +█+.?·+ +83\/100 +now/);
  assert.match(text, /▲ 2\.4\/s refused/);
  assert.match(text, /no request has been counted yet/);
  assert.match(text, /few {2}max 4 by consumer {2}on pay +5 in progress {2}▲ 0\.4\/s refused/);
  assert.match(text, /globex +█+ +4\/4 +when one ends/);
  assert.match(text, /acme +█+.?·+ +1\/4 +now/);
});

test('the detail of a route shows its WebSockets', () => {
  const webSockets = { opened: 12, open: 3, messagesIn: 40, messagesOut: 2000, bytesIn: 1024, bytesOut: 4096 };
  const { routes } = snapshot({});
  const keys = ['/', ...'policy:strict', 'return', 'return'];
  const text = check(
    scene({ snapshot: snapshot({ routes: routes.map((route) => ({ ...route, webSockets })) }) }, ...keys),
    'detail',
  );
  assert.match(text, /websockets +3 open of 12, 40 messages/);
});

test('the detail of a route shows what its caches answer', () => {
  const requests = { hit: 6000, stale: 1000, collapsed: 500, miss: 2500, bypass: 3 };
  const caches = [{ policy: 'strict', requests, validated: 4, invalidated: 1 }];
  const keys = ['/', ...'policy:strict', 'return', 'return'];
  const text = check(scene({ snapshot: snapshot({ caches }) }, ...keys), 'detail');
  assert.match(text, /cache {8}strict: 7500 of 10\.0k from the cache \(75%\), on all its routes/);
  assert.not.match(check(scene({}, ...keys), 'without'), /from the cache/);
});

test('Targets shows the duties of policies below the targets', () => {
  const known = snapshot({ duties: duties(NOW) });
  const down = Array.from({ length: 10 }, () => 'down');
  const text = check(scene({ snapshot: known }, '3', ...down), 'duties');
  assert.match(text, /duties {2}2 duties: runs, and time until the next {2}✗ 1 of 2 failing/);
  assert.match(text, /tokens +● succeeds/);
  assert.match(text, /duty partners/);
  assert.match(text, /3 Targets\]✗2/);
  const last = check(scene({ snapshot: known }, '3', ...down, 'down', 'down'), 'a duty');
  assert.match(last, /▸ +partners +✗ failing +connection refused, la/);
  const wide = check(scene({ snapshot: known, size: LARGE }, '3', ...down), 'duties, wide');
  assert.match(wide, /duty partners/);
  assert.match(wide, /last success +\d\d:\d\d:\d\d \(1h/);
  assert.match(wide, /last error +connection refused/);
  assert.match(wide, /12 runs, 5 failed/);
  const first = duties(NOW).map((duty) => ({ ...duty, lastSuccess: null, nextRun: null }));
  const text2 = check(scene({ snapshot: snapshot({ duties: first }), size: LARGE }, '3', ...down), 'first run');
  assert.match(text2, /first run/);
  assert.match(text2, /next run +when a question or a reload causes it/);
});

test('the screen in the README has all views in its first lines', () => {
  const shown = readFileSync('README.md', 'utf8').split('### gw dash')[1]!.split('```')[1]!.split('\n');
  const views = (line: string): string =>
    line
      .replace(/[▲✗]\d*|\d\d:\d\d:\d\d/g, '')
      .replace(/\s+/g, ' ')
      .trim();
  const columns = Math.max(...shown.map(width));
  const own = check(scene({ size: { columns, rows: 24 } }, '2'), 'limits').split('\n');
  assert.is(views(shown[2]!), views(own[1]!));
});

test('Consumers shows what each one did, why requests were refused, and what expires', () => {
  const text = check(scene({}, '6'), 'consumers');
  assert.match(text, /acme +gold +212 +81\.2k +122 +\ds ago +in 3d 0h/);
  assert.match(text, /globex +basic +1\.2 +310 +4 +1m ago +none valid/);
  assert.match(text, /initech +- +0 +0 +0 +never +disabled/);
  assert.match(text, /\(not identified\) +- +0\.6 +47 +47 /);
  const wide = check(scene({ size: LARGE }, '6', 'down'), 'consumers, wide');
  assert.match(wide, /acme +gold +partners, eu +212 +81\.2k +122 limit\/exceeded +\ds ago +in 3d 0h +2/);
  assert.match(wide, /\(not identified\).* auth\/invalid/);
  assert.match(wide, /refused +122 \(0\.2%\): limit\/exceeded 120, auth\/forbidden 2/);
  assert.match(wide, /credentials +key ci {2}expires in 3d 0h/);
  const one = check(scene({}, '6', 'down', 'down', 'return'), 'a consumer');
  assert.match(one, /globex[\s\S]*key old {2}expired 2d ago/);
  const filtered = check(scene({}, '6', '/', 'g', 'o', 'l', 'd'), 'filtered');
  assert.match(filtered, /acme/);
  assert.not.match(filtered, /globex +basic/);
});

test('Targets says which policies and routes call a service', () => {
  const callers = ['all/forward-auth', 'tenant', 'route tea', 'other', 'more'];
  const [one] = targets();
  const called = [
    { ...one!, service: 'https://auth.example', url: 'https://auth.example', calledBy: callers.slice(0, 1) },
    { ...one!, service: 'busy', url: 'http://busy', calledBy: callers },
  ];
  const text = check(scene({ snapshot: snapshot({ targets: called, duties: [] }), size: LARGE }, '3'), 'callers');
  assert.match(text, /https:\/\/auth\.example {2}1 target, called by all\/forward-auth\n/);
  assert.match(text, /busy {2}1 target, called by all\/forward-auth, tenant, route tea, 2 more/);
  assert.match(text, /called by +all\/forward-auth/);
  const found = check(
    scene({ snapshot: snapshot({ targets: called, duties: [] }) }, '3', '/', 't', 'e', 'a'),
    'filter',
  );
  assert.match(found, /busy/);
  assert.not.match(found, /auth\.example {2}1 target/);
});

test('Targets shows ejected, managed and unmanaged targets', () => {
  const text = check(scene({}, '3', 'down', 'down', 'down'), 'targets');
  assert.match(text, /orders {2}2 targets {2}✗ 1 of 2 failing/);
  assert.match(text, /127\.0\.0\.1:4004 +✗ ejected +for 42s: connection refused +in 12s/);
  assert.match(text, /health +✗ ejected, tried again in 12s/);
  assert.match(
    text,
    /failure +connection refused, since \d\d:\d\d:\d\d \(42s\) +upstream\/unreachable/,
    'why it fails, and since when',
  );
  const wide = check(scene({ size: LARGE }, '3'), 'wide targets');
  assert.match(wide, /ready 48113/);
  assert.match(wide, /backoff ↻4/);
  const failing = targets().map((target) => ({ ...target, health: 'healthy' as const, ejectedForMs: 0 }));
  assert.match(
    check(scene({ snapshot: snapshot({ targets: failing }) }, '3'), 'not ejected yet'),
    /127\.0\.0\.1:4004 +▲ failing +for 42s: connection refused +-/,
  );
  const replied = failing.map((target) => ({ ...target, failingSince: null }));
  assert.match(
    check(scene({ snapshot: snapshot({ targets: replied }) }, '3', 'down', 'down', 'down'), 'it replies again'),
    /127\.0\.0\.1:4004 +● healthy +0s ago: connection refused[\s\S]*it has replied since/,
  );
});

test('Requests shows the tail, failures, and a request with its decisions', () => {
  const tail = check(scene({}, '4'), 'tail');
  assert.match(tail, /429/);
  assert.match(tail, /● following/);
  const held = check(scene({}, '4', 'down'), 'held');
  assert.match(held, /‖ held, 0 newer/);
  const detail = check(scene({ size: LARGE }, '4', '/', 'status:429', ...'4xx', 'return', 'return'), 'detail');
  assert.match(detail, /status {7}429, limit\/exceeded/);
  assert.match(detail, /3 polite \(rate-limit\) {2}refused +100 of 100 used by acme; the next/);
});

test('Requests distinguishes unrecorded decisions from none', () => {
  const { decisions: _, ...bare } = record(1);
  const shows = (one: typeof bare): string => {
    let state = scene({ requests: 0 }, '4');
    state = reduce(state, {
      type: 'batch',
      batch: { snapshot: undefined, receivedAt: 0, recent: [], requests: [one], dropped: 3, reloads: [] },
      now: NOW,
    });
    const { change } = press(state, 'return');
    return check(reduce(state, { type: 'change', change: change ?? {} }), 'detail');
  };
  assert.match(shows(bare), /not recorded: they are recorded only while/);
  assert.match(shows({ ...bare, ...{ decisions: [] } }), /no step had anything to decide/);
});

test('Requests shows the calls of a request as a waterfall, as wide as the screen allows', () => {
  const call = { service: 'shop', target: 'http://127.0.0.1:4001', method: 'GET', error: null, bytes: 1200 };
  const one = record(1, {
    durationMs: 40,
    calls: [
      { ...call, name: 'reviews', path: '/reviews', status: 0, error: 'upstream/timeout', startMs: 20, durationMs: 20 },
      { ...call, name: 'product', path: '/products/7', status: 200, startMs: 0, durationMs: 20 },
      { ...call, name: 'kept', path: '/kept', status: 200, startMs: 1, durationMs: 0.1, stored: true },
    ],
  });
  const shown = (size: typeof LARGE): string => {
    let state = scene({ requests: 0, size }, '4');
    const batch = { snapshot: undefined, receivedAt: 0, recent: [], requests: [one], dropped: 0, reloads: [] };
    state = reduce(state, { type: 'batch', batch, now: NOW });
    const { change } = press(state, 'return');
    return check(reduce(state, { type: 'change', change: change ?? {} }), 'calls');
  };
  assert.match(shown(SMALL), /product {2}200 +\+0\.00ms +20ms {2}█{10,}·{10,}\s/);
  assert.match(shown(SMALL), /reviews {2}✗ +\+20ms +20ms {2}·{10,}█{10,}\s/);
  assert.match(shown(LARGE), /product {2}200 .*█+·+ {2}shop: 1\.17KiB, GET/);
  assert.match(shown(LARGE), /·+█+ {2}shop: upstream\/timeout/);
  assert.match(shown(LARGE), /shop: 1\.17KiB stored/);
});

test('Reloads shows generations and why a spec was rejected', () => {
  const text = check(scene({}, '5'), 'reloads');
  assert.match(text, /✗ rejected/);
  assert.match(text, /generation 12 still serves/);
  assert.match(text, /did you mean 'polite'\?/);
  const live = check(scene({}, '5', 'down', 'down'), 'live');
  assert.match(live, /generation 12 {2}● live/);
  assert.match(live, /^│ \+route ping/m);
  assert.match(live, /^│ ~routes list-orders, place-order/m);
  assert.match(live, /replaced +11 /);
  assert.match(live, /no errors, no warnings/);
});

test('the bars show spec, state, generation, connection and problems', () => {
  const text = check(scene({}), 'bars');
  assert.match(text, / gw {2}~\/shop\/gateway\.toml .*● ready {2}gen 12, 1m old {2}✗ spec rejected {2}● live/);
  assert.match(text, /\[1 Traffic\].*2 Limits ▲.*3 Targets ✗1.*5 Reloads ✗/);
  assert.match(check(scene({}, 'p'), 'paused'), /‖ PAUSED/);
  const draining = snapshot();
  const ending = { ...draining, gateway: { ...draining.gateway, state: 'draining' as const } };
  assert.match(check(scene({ snapshot: ending }), 'draining'), /◌ draining/);
});

test('the connection shows as connecting, silent or lost, and the last data stays on the screen', () => {
  const base = scene({});
  const silent = reduce(base, {
    type: 'connection',
    connection: { status: 'silent', where: 'x', since: NOW - 5_000 },
    now: NOW,
  });
  assert.match(check(silent, 'silent'), /▲ no data/);
  const lost = { status: 'lost', reason: 'the gateway is not running', attempt: 3, retryAt: NOW + 2_000 } as const;
  const gone = reduce(base, { type: 'connection', connection: lost, now: NOW });
  assert.match(check(gone, 'gone'), /✗ stale 0s, reconnecting in 2s[\s\S]*get-order/);
  const empty = scene({ snapshot: undefined });
  assert.match(
    check({ ...empty, connection: { status: 'connecting' } }, 'first'),
    /◌ connecting[\s\S]*Waiting for data from the gateway/,
  );
  assert.match(
    check({ ...empty, connection: lost }, 'never'),
    /No connection to the gateway[\s\S]*the gateway is not running[\s\S]*tried 3 times/,
  );
});

test('data older than 3 s is dimmed, shows its age, and does not look healthy', () => {
  for (const size of [SMALL, LARGE]) {
    for (const view of ['1', '2', '3', '4', '5']) {
      const at = (now: number): State => reduce(scene({ size }, view), { type: 'tick', now });
      assert.not.match(check(at(NOW + 3_000), view), /stale/);
      const text = check(at(NOW + 7_000), `stale ${view}`);
      assert.match(text, /^ gw .*was ready .*▲ stale 7s/);
      assert.ok((text.match(/stale 7s/g)?.length ?? 0) >= 2, `view ${view} says so beside its data, too`);
      assert.not.match(text, /●|live\b(?! {2})/, view);
    }
  }
  const paused = reduce(scene({}, '3', 'p'), { type: 'tick', now: NOW + 9_000 });
  assert.match(check(paused, 'no data while paused'), /‖ PAUSED {2}▲ stale 9s/);
  const next = snapshot({}, { now: NOW + 9_000 });
  const batch = { snapshot: next, receivedAt: NOW + 9_000, recent: [], requests: [], dropped: 0, reloads: [] };
  const held = reduce(paused, { type: 'batch', batch, now: NOW + 9_000 });
  assert.match(check(held, 'paused'), /was ready .*‖ PAUSED {2}▲ paused, 9s old/);
  const { change } = press(held, 'p');
  assert.match(check(reduce(held, { type: 'change', change: change ?? {} }), 'continued'), /● ready .*● live/);
});

test('stale data has no green and is readable without colours', () => {
  const theme = themeFor({ LANG: 'C.UTF-8' });
  for (const tone of ['plain', 'good', 'chart', 'accent', 'title'] as const)
    assert.equal(styleOf(tone, { ...theme, stale: 'stale 7s' }), { dimColor: true }, tone);
  assert.equal(styleOf('bad', { ...theme, stale: 'stale 7s' }), { color: 'red', dimColor: true });
  assert.equal(styleOf('alert', { ...theme, stale: 'stale 7s' }), { color: 'yellow', bold: true });
  const plain = themeFor({ LANG: 'C.UTF-8', NO_COLOR: '1' });
  assert.equal(styleOf('bad', { ...plain, stale: 'stale 7s' }), { dimColor: true });
});

test('every details pane shows how its values have changed', () => {
  const later = (size: { columns: number; rows: number }, ...keys: string[]): State => {
    let state = scene({ size }, ...keys);
    for (let second = 1; second <= 5; second++) {
      const now = NOW + second * 1_000;
      const grown = snapshot({ reloads: reloads(NOW) }, { now });
      const more = {
        ...grown,
        routes: grown.routes.map((one) => ({ ...one, requests: one.requests + second * second * 10 })),
        targets: grown.targets.map((one) => ({ ...one, requests: one.requests + second * second * 10 })),
        limits: grown.limits.map((one) => ({
          ...one,
          allowed: one.allowed + second * second * 10,
          keys: one.keys.map((key) => ({ ...key, allowed: key.allowed + second * second * 10 })),
        })),
      };
      const batch = { snapshot: more, receivedAt: now, recent: [], requests: [], dropped: 0, reloads: [] };
      state = reduce(state, { type: 'batch', batch, now });
    }
    return state;
  };
  for (const size of [SMALL, LARGE]) {
    assert.match(check(later(size, '1', 'return'), 'route'), /requests +[\d.k]+, [\d.]+\/s +▁▃▄▆█ {2}peak 90\/s/);
    assert.match(check(later(size, '2', 'return'), 'limit'), /allowed +[\d.k]+ since start +▁▃▄▆█ {2}peak 90\/s/);
    assert.match(check(later(size, '3'), 'target'), /requests +[\d.k]+, \d+ in flight +▁▃▄▆█ {2}peak 90\/s/);
    assert.match(check(later(size, '4', 'return'), 'request'), /route rate +[\d.]+\/s +▁▃▄▆█ {2}peak 90\/s/);
    assert.match(check(later(size, '5', 'down', 'down'), 'reload'), /requests +[\d.]+\/s +[ ▁▂▃▄▅▆▇█]+ {2}peak \d+\/s/);
  }
});

test('on the smallest terminal no visible column is cut', () => {
  for (const view of ['1', '2', '3', '4', '5']) {
    const [, , ...lines] = check(scene({ size: { columns: 60, rows: 16 } }, view), view).split('\n');
    const header = lines.find((line) => /^ +[A-Z]{3}/.test(line)) ?? '';
    assert.match(header, /[A-Z]/, view);
    assert.not.match(header, /…/, view);
  }
});

test('Limits sorts keys by the chosen column', () => {
  const order = (...keys: string[]): string[] =>
    [
      ...check(scene({}, '2', ...keys), 'limits')
        .split('few  max 4')[0]!
        .matchAll(/^ {2}(acme|globex|initech) /gm),
    ].map((match) => match[1] ?? '');
  assert.equal(order(), ['acme', 'globex', 'initech']);
  assert.equal(order('S'), ['initech', 'globex', 'acme']);
  assert.equal(order('s', 's', 's', 'S'), ['initech', 'globex', 'acme']);
  assert.match(check(scene({}, '2', 's'), 'by wait'), /NEXT ALLOWED▼/);
  assert.match(
    check(scene({}, '2', 'down', 'down', 'return'), 'details'),
    /polite {2}acme[\s\S]*refused; allowed in 0\.5s/,
  );
});

test('the last line shows notices, reloading and typed text', () => {
  const notified = reduce(scene({}), { type: 'notice', kind: 'bad', text: 'no\x1b[31m connection', now: NOW });
  assert.match(check(notified, 'notice'), /✗ no\\e\[31m connection/);
  assert.match(check(reduce(scene({}), { type: 'reloading' }), 'reloading'), /◌ reloading the spec/);
  assert.match(check(scene({}, '/', ...'o'.repeat(200)), 'typing'), /\/ …o+█ +enter keep {2}esc clear/);
});

test('several gateways are offered as a list', () => {
  const entries = Array.from({ length: 40 }, (_, index) => ({
    pid: 4_000 + index,
    spec: `/srv/shop-${index}/gateway.toml`,
    socket: `/run/${index}.sock`,
    startedAt: NOW - 65_000,
    listeners: ['127.0.0.1:8080'],
  }));
  let state = reduce(scene({}), { type: 'pick', entries });
  assert.match(
    check(state, 'picker'),
    /^ gw\s+Several gateways.*Choose one:[\s\S]*▸ ~\/shop-0\/gateway\.toml +127\.0\.0\.1:8080 +4000 +1m 05s/,
  );
  const { change } = press(state, 'end');
  state = reduce(state, { type: 'change', change: change ?? {} });
  assert.match(check(state, 'end of picker'), /▸ ~\/shop-39/);
});

test('on a terminal that is too small, the screen states the required size', () => {
  assert.match(check(scene({ size: { columns: 40, rows: 10 } }), 'small'), /40x10 is too small: 60x16 at least/);
  check(scene({ size: { columns: 8, rows: 2 } }), 'tiny');
});

test('control characters from a request never reach the terminal', () => {
  const evil = '\x1b]0;pwned\x07\x1b[2J\x9b31m\u202egpj\u2066\r\n日本👩‍👩‍👧‍👦e\u0301\u0301\u0301\u0301\u0301';
  const dirty = snapshot({
    routes: [route(evil, { match: `GET /${evil}`, service: evil, policies: [evil] })],
    limits: limits().map((limit) => ({
      ...limit,
      policy: evil,
      routes: [evil],
      keys: limit.keys.map((key) => ({ ...key, key: evil })),
    })),
    targets: targets().map((target) => ({
      ...target,
      service: evil,
      url: evil,
      process: { state: 'ready', pid: 1, restarts: 0, command: evil },
    })),
    listeners: [{ name: evil, address: evil, tls: false, connections: 1 }],
    reloads: [
      {
        at: NOW,
        outcome: 'rejected',
        generation: null,
        summary: evil,
        tookMs: 1,
        diagnostics: evil,
        errors: 1,
        warnings: 0,
      },
    ],
  });
  const named = { ...dirty, gateway: { ...dirty.gateway, spec: `/${evil}` } };
  for (const size of [SMALL, LARGE]) {
    for (const keys of SCREENS) {
      let state = scene({ size, snapshot: named, requests: 0 }, '4');
      const decisions = [{ step: evil, use: evil, outcome: evil, why: evil }];
      const one = record(1, {
        url: evil,
        host: evil,
        method: evil,
        route: evil,
        service: evil,
        target: evil,
        consumer: evil,
        id: evil,
        remote: evil,
        error: evil,
        decisions,
        calls: [
          {
            name: evil,
            service: evil,
            target: evil,
            method: evil,
            path: evil,
            status: 0,
            error: evil,
            startMs: 0,
            durationMs: 1,
            bytes: 0,
          },
        ],
      });
      state = reduce(state, {
        type: 'batch',
        batch: { snapshot: named, receivedAt: NOW, recent: [], requests: [one], dropped: 0, reloads: [] },
        now: NOW,
      });
      for (const key of keys) {
        const { change } = press(state, key);
        if (change) state = reduce(state, { type: 'change', change });
      }
      const text = check(state, `evil ${keys.join(' ')}`);
      assert.not.match(text, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b-\u200f]/, keys.join(' '));
    }
  }
});

test('a frame of 10,000 routes is drawn within its time limit', () => {
  const big = snapshot({ routes: routes(10_000, seeded(2)) });
  const state = scene({ size: LARGE, snapshot: big });
  check(state, 'warm');
  const before = process.cpuUsage();
  check({ ...state, snapshot: { ...big, routes: [...big.routes] } }, 'big');
  const { user, system } = process.cpuUsage(before);
  // Without windowing it would take seconds.
  assert.ok(user + system < 500_000, `took ${(user + system) / 1_000} ms of processor time`);
});

test.run();
