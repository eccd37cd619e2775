import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { PolicyEntry, Program } from '../../../src/bundle/types.js';
import { changesOf, diffPrograms, summarize } from '../../../src/control/reload/diff.js';
import { lossesOf, removesSomething } from '../../../src/control/reload/losses.js';
import { changesText } from '../../../src/telemetry/changes.js';
import { programWith, routePlan, servicePlan } from '../../support/programs.js';

const policy = (name: string, settings: string): PolicyEntry => ({
  use: 'rate-limit',
  name,
  phase: 'limit',
  identity: `${name}${settings}`,
  settings,
  config: {},
  origins: {},
});

const program = (over: Partial<Program> = {}): Program =>
  programWith({
    services: [servicePlan('a'), servicePlan('b')],
    policies: [policy('polite', '1'), policy('r/limit', '1')],
    routes: [routePlan('r', { policies: [0, 1] }), routePlan('s', { service: 1 })],
    ...over,
  });

const line = (before: Program, after: Program): string => summarize(diffPrograms(before, after));
const SAME = '+0 routes, ~0 routes, -0 routes';

test('equal programs have no difference, in any order', () => {
  const moved = program({
    services: [servicePlan('b'), servicePlan('a')],
    policies: [policy('r/limit', '1'), policy('polite', '1')],
    routes: [
      routePlan('s', { service: 0, source: { from: 'spec', file: 'b.toml', line: 9 } }),
      routePlan('r', { service: 1, policies: [1, 0] }),
    ],
  });
  assert.is(line(program(), moved), SAME);
  assert.equal(diffPrograms(program(), moved), diffPrograms(program(), program()));
});

test('added, changed and removed routes are found by name', () => {
  const after = program({ routes: [routePlan('r', { policies: [0, 1], timeout: 5 }), routePlan('t'), routePlan('u')] });
  assert.is(line(program(), after), '+2 routes, ~1 route, -1 route');
  const diff = diffPrograms(program(), after).routes;
  assert.equal(diff, { added: ['t', 'u'], changed: ['r'], removed: ['s'] });
});

test('a different service or chain changes a route', () => {
  assert.is(
    line(program(), program({ routes: [routePlan('r', { policies: [1, 0] }), routePlan('s', { service: 0 })] })),
    '+0 routes, ~2 routes, -0 routes',
  );
});

test('a changed named policy is listed itself, an inline policy changes its route', () => {
  const named = program({ policies: [policy('polite', '2'), policy('r/limit', '1')] });
  assert.is(line(program(), named), `${SAME}; ~1 policy`);
  const inPlace = program({ policies: [policy('polite', '1'), policy('r/limit', '2')] });
  assert.is(line(program(), inPlace), '+0 routes, ~1 route, -0 routes');
});

test('a condition that only the model contains changes its route', () => {
  const diff = diffPrograms(program(), program(), {
    before: new Map([['r', 'x-a = 1']]),
    after: new Map([['r', 'x-a = 2']]),
  });
  assert.equal(diff.routes.changed, ['r']);
});

test('changes outside of routes are named', () => {
  const after = program({
    services: [servicePlan('a', { retries: 2 }), servicePlan('b'), servicePlan('c')],
    consumers: [
      { name: 'acme', groups: [], credentials: [], tags: {} },
      { name: 'zeta', groups: [], credentials: [], tags: {} },
    ],
    plans: [{ name: 'gold', limits: {} }],
    overload: { shedAbove: 0.85, shrinkAbove: 0.92 },
    drainTimeout: 5,
    drainDelay: 0,
    workers: 1,
  });
  assert.is(line(program(), after), `${SAME}; +1 service, ~1 service; +2 consumers; +1 plan; settings`);
  assert.is(line(after, program()), `${SAME}; ~1 service, -1 service; -2 consumers; -1 plan; settings`);
});

test('the log names what changed, settings by key; the number of names is bounded', () => {
  const after = program({
    services: [servicePlan('a', { retries: 2 }), servicePlan('b')],
    routes: [routePlan('r', { policies: [0, 1] }), ...Array.from({ length: 70 }, (_, at) => routePlan(`n${at + 10}`))],
    drainTimeout: 5,
  });
  const changes = changesOf(diffPrograms(program(), after));
  assert.equal(
    changes.map(({ change, kind, names, more }) => `${change} ${kind} ${names.length}+${more}`),
    ['added route 50+20', 'removed route 1+0', 'changed service 1+0', 'changed setting 1+0'],
  );
  assert.is(
    changesText(changes),
    '+routes n10, n11, n12, n13, n14, n15, n16, n17, n18, n19 and 60 more; -route s; ~service a; ~setting drain_timeout',
  );
  assert.is(changesText(changesOf(diffPrograms(program(), program()))), 'nothing');
});

const guarded = (routes: Program['routes']): { program: Program; matchTexts: Map<string, string> } => ({
  program: program({ policies: [{ ...policy('keys', '1'), use: 'api-key', phase: 'authenticate' }], routes }),
  matchTexts: new Map(),
});

test('a route that no longer needs a credential is reported, also under another name', () => {
  const before = guarded([routePlan('r', { policies: [0] }), routePlan('s', { policies: [0], match: 'GET /s' })]);
  const open = lossesOf(before, guarded([routePlan('r'), routePlan('renamed', { match: 'GET /s' })]));
  assert.equal(open.opened, ['r', 'renamed']);
  assert.not(removesSomething(lossesOf(before, before)));
});

test('a credential that becomes optional opens the routes that required it', () => {
  const routes = [routePlan('r', { policies: [0] })];
  const before = guarded(routes);
  const optional = {
    ...policy('keys', '2'),
    use: 'api-key',
    phase: 'authenticate' as const,
    config: { optional: true },
  };
  const after = { program: program({ policies: [optional], routes }), matchTexts: new Map<string, string>() };
  assert.equal(lossesOf(before, after).opened, ['r']);
  assert.equal(lossesOf(after, before).opened, []);
});

test('an authenticator or a limit that gets a condition is a loss', () => {
  const routes = [routePlan('r', { policies: [0] })];
  const when = { source: 'request.method == "GET"', code: ['==', ['fact', 'request.method'], 'GET'] };
  for (const [kind, loss] of [
    [{ use: 'api-key', phase: 'authenticate' }, 'opened'],
    [{ use: 'rate-limit', phase: 'limit' }, 'lighter'],
  ] as const) {
    const plain = { ...policy('p', '1'), ...kind };
    const before = { program: program({ policies: [plain], routes }), matchTexts: new Map<string, string>() };
    const after = { ...before, program: program({ policies: [{ ...plain, when }], routes }) };
    assert.equal(lossesOf(before, after)[loss], ['r']);
    assert.not(removesSomething(lossesOf(after, before)));
    assert.not(removesSomething(lossesOf(after, after)));
  }
});

test('removed routes, an empty route table and lighter chains are losses', () => {
  const before = guarded([routePlan('r', { policies: [0] })]);
  assert.equal(lossesOf(before, guarded([])), { opened: [], lighter: [], removed: ['r'], empty: true });
  const two = { program: program(), matchTexts: new Map<string, string>() };
  const fewer = {
    program: program({ routes: [routePlan('r'), routePlan('s', { service: 1 })] }),
    matchTexts: new Map<string, string>(),
  };
  assert.equal(lossesOf(two, fewer).lighter, ['r']);
});

test('a route served by more listeners is reported as lighter', () => {
  const on = (...listeners: string[]) => guarded([routePlan('r', listeners.length > 0 ? { listeners } : {})]);
  assert.equal(lossesOf(on('internal'), on()).lighter, ['r']);
  assert.equal(lossesOf(on('internal'), on('internal', 'public')).lighter, ['r']);
  assert.not(removesSomething(lossesOf(on('internal', 'public'), on('internal'))));
  assert.not(removesSomething(lossesOf(on(), on('internal'))));
});

test.run();
