/** allow: rules, their conditions, answers, decisions; time zones; a naive model. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Claims, ConsumerEntry, Decision, Exchange, Json, PolicyInstance } from '../../src/policies/contract.js';
import { seededBelow } from '../support/random.js';
import { before, bodyOf, compile, create, decode, exchange, type Given, lint, type World, world } from './support.js';

const consumer = (name: string, ...groups: string[]): ConsumerEntry => ({ name, groups, credentials: [], tags: {} });
const acme = consumer('acme', 'partners', 'eu');

/** What a policy does: the status of its reply, or `pass`, and the rule for the log. */
function outcome(policy: PolicyInstance, given: Given = {}): string {
  const on = exchange(given);
  const reply = before(policy, on);
  return `${reply?.status ?? 'pass'} ${on.rule}`;
}

const of = (keys: string, around: World = world()): PolicyInstance => create('allow', keys, around, 'access');

test('one of the rules must hold, and all conditions of it', () => {
  const policy = of(`
    [[rules]]
    name = "partners"
    groups = ["partners", "staff"]
    methods = ["GET", "HEAD"]
    [[rules]]
    consumers = ["initech"]
  `);
  assert.is(outcome(policy, { consumer: acme }), 'pass access/partners');
  assert.is(outcome(policy, { consumer: acme, method: 'POST' }), '403 access/default');
  assert.is(outcome(policy, { consumer: consumer('initech'), method: 'POST' }), 'pass access/2');
  assert.is(outcome(policy, { consumer: consumer('hooli', 'eu') }), '403 access/default');
  assert.is(outcome(policy), '403 access/default');
});

test('GET includes HEAD, in rules that deny too', () => {
  const policy = of('methods = ["GET", "POST"]\n[[deny]]\nmethods = ["GET"]\naddresses = ["192.0.2.1"]');
  assert.is(outcome(policy, { method: 'HEAD' }), '403 access/deny-1');
  assert.is(outcome(policy, { method: 'HEAD', remoteAddress: '192.0.2.2' }), 'pass access/1');
  assert.is(outcome(policy, { method: 'POST' }), 'pass access/1');
});

test('a rule that denies wins', () => {
  const policy = of(`
    groups = ["partners"]
    [[deny]]
    addresses = ["192.0.2.0/24", "2001:db8::/32"]
    [[deny]]
    name = "deletes"
    methods = ["DELETE"]
  `);
  assert.is(outcome(policy, { consumer: acme }), '403 access/deny-1');
  assert.is(outcome(policy, { consumer: acme, remoteAddress: '2001:db8::7' }), '403 access/deny-1');
  assert.is(outcome(policy, { consumer: acme, remoteAddress: '198.51.100.1' }), 'pass access/1');
  assert.is(outcome(policy, { consumer: acme, remoteAddress: '198.51.100.1', method: 'DELETE' }), '403 access/deletes');
});

test('scopes: a text or a list, in scope or scp; all are needed', () => {
  const policy = of('scopes = ["orders:read", "orders:write"]');
  const passes = (claims: Claims): boolean => outcome(policy, { claims }).startsWith('pass');
  assert.ok(passes({ scope: 'orders:write x orders:read' }));
  assert.ok(passes({ scp: ['orders:read', 'orders:write'] }));
  assert.ok(passes({ scope: 'orders:read', scp: 'orders:write' }));
  assert.not.ok(passes({ scope: 'orders:read' }));
  assert.not.ok(passes({ scope: 'orders:readorders:write orders:read' }));
  assert.not.ok(passes({ scope: 'xorders:read orders:write' }));
  assert.not.ok(passes({ scp: ['orders:read orders:write'] }));
  assert.not.ok(passes({ scope: { 'orders:read': true } }));
});

test('roles: in claims by their path', () => {
  const policy = of(
    'roles = ["admin", "ops"]\nrole_claims = ["roles", "realm_access.roles", "https://x.example/roles"]',
  );
  const passes = (claims: Claims): boolean => outcome(policy, { claims }).startsWith('pass');
  assert.ok(passes({ roles: ['a', 'ops'] }));
  assert.ok(passes({ roles: 'admin' }));
  assert.ok(passes({ realm_access: { roles: ['admin'] } }));
  assert.ok(passes({ 'https://x.example/roles': ['admin'] }));
  assert.not.ok(passes({ roles: 'admins' }));
  assert.not.ok(passes({ realm_access: { roles: [['admin']] } }));
  assert.not.ok(passes({ realm_access: 'admin' }));
  assert.not.ok(passes({ realm_access: null }));
});

test('claims: values of their type, members of lists, nested claims', () => {
  const policy = of('claims = { email_verified = true, level = 3, tenant = ["a", "b"], "address.country" = "DE" }');
  const good = { email_verified: true, level: 3, tenant: 'b', address: { country: 'DE' } };
  const passes = (claims: Claims): boolean => outcome(policy, { claims: { ...good, ...claims } }).startsWith('pass');
  assert.ok(passes({}));
  assert.ok(passes({ tenant: ['x', 'a'] }));
  assert.ok(passes({ 'address.country': 'DE', address: 'x' }));
  for (const wrong of [
    { email_verified: 'true' },
    { email_verified: false },
    { level: '3' },
    { tenant: [] },
    { tenant: { a: 1 } },
    { address: { country: 'FR' } },
    { 'address.country': 'FR' },
    { address: null },
  ] as Claims[])
    assert.not.ok(passes(wrong), JSON.stringify(wrong));
  assert.not.ok(outcome(of('claims = { constructor = "x" }'), { claims: {} }).startsWith('pass'));
});

test('a condition in CEL is one of the conditions', () => {
  const policy = of(`groups = ["partners"]\nwhen = 'request.method == "GET" || claims.level == 3.0'`);
  assert.is(outcome(policy, { consumer: acme }), 'pass access/1');
  assert.is(outcome(policy, { consumer: acme, method: 'POST' }), '403 access/default');
  assert.is(outcome(policy, { consumer: acme, method: 'POST', claims: { level: 3 } }), 'pass access/1');
});

test('a condition that cannot be evaluated refuses the request', () => {
  const policy = of('when = \'int(request.query["n"]) > 1\'');
  assert.throws(() => outcome(policy), /int/);
});

test('an expression is checked where it stands', () => {
  const { errors } = decode('allow', `[[rules]]\nwhen = 'request.methd == "GET"'`);
  assert.equal(errors, ['Unknown name `request.methd`; did you mean `method`?']);
  assert.match(decode('allow', 'when = 5').errors[0]!, 'Expected a condition in CEL, found an integer.');
  assert.match(decode('allow', "when = 'reply.status == 200'").errors[0]!, 'is not known yet');
});

// ---------------------------------------------------------------- answers

test('403 is a problem that says nothing about the rules', () => {
  const on = exchange({ consumer: acme });
  const reply = before(of('groups = ["staff"]'), on)!;
  assert.is(reply.status, 403);
  assert.equal(bodyOf(reply), {
    type: 'urn:gw:problem:auth/forbidden',
    title: 'Not allowed',
    status: 403,
    instance: 'urn:gw:request:req-1',
    request_id: 'req-1',
  });
  assert.is(reply.headers.get('www-authenticate'), undefined);
});

const absent = [{ code: 'auth/missing', title: 'Token required', challenge: 'Bearer realm="api"' }];

test('a caller without credentials gets the challenges, if credentials could help', () => {
  const policy = of('groups = ["staff"]\nmethods = ["GET"]\n[[deny]]\naddresses = ["198.51.100.1"]');
  const reply = before(policy, exchange({ absent }))!;
  assert.is(reply.status, 401);
  assert.is(reply.headers.get('www-authenticate'), 'Bearer realm="api"');
  assert.is(bodyOf(reply)['title'], 'Credentials required');
  assert.is(before(policy, exchange({ absent, method: 'POST' }))!.status, 403);
  assert.is(before(policy, exchange({ absent, remoteAddress: '198.51.100.1' }))!.status, 403);
  // The anonymous consumer of any-of is no caller either.
  assert.is(before(policy, exchange({ absent, consumer: consumer('anonymous') }))!.status, 401);
});

test('a missing scope is named, if nothing else is missing', () => {
  const policy = of('scopes = ["a", "b"]\nclaims = { tenant = "x" }');
  const scoped = (given: Given) => before(policy, exchange(given))!;
  const bearer = scoped({ claims: { tenant: 'x', scope: 'a' } });
  assert.is(bearer.status, 403);
  assert.is(bearer.code, 'auth/insufficient-scope');
  assert.is(bearer.headers.get('www-authenticate'), 'Bearer error="insufficient_scope", scope="a b"');
  const known = scoped({ claims: { tenant: 'x' }, challenge: 'DPoP realm="api"' });
  assert.is(known.headers.get('www-authenticate'), 'DPoP realm="api", error="insufficient_scope", scope="a b"');
  assert.is(scoped({ claims: { tenant: 'y', scope: 'a' } }).code, 'auth/forbidden');
  const keyed = before(of('scopes = ["a"]'), exchange({ consumer: acme }))!;
  assert.is(keyed.code, 'auth/insufficient-scope');
  assert.is(keyed.headers.get('www-authenticate'), undefined);
  const basic = scoped({ claims: { tenant: 'x', sub: 'ann' }, challenge: 'Basic realm="api"' });
  assert.is(basic.headers.get('www-authenticate'), undefined);
});

test('decisions name the rule, or say why each one does not hold', () => {
  const policy = of('[[rules]]\nname = "staff"\ngroups = ["staff"]\n[[rules]]\nname = "writes"\nmethods = ["POST"]');
  const told = (given: Given): Decision => {
    const decisions: Decision[] = [];
    before(policy, exchange({ ...given, decisions }));
    assert.is(decisions.length, 1);
    return decisions[0]!;
  };
  assert.is(told({ method: 'POST' }).why, 'rule writes allows');
  assert.equal(told({}), {
    step: 'access',
    use: 'allow',
    outcome: 'answer',
    why: 'no rule allows it (staff: not in its groups; writes: other method)',
    details: { rule: 'default' },
  });
});

// ---------------------------------------------------------------- time

const at = (policy: (around: World) => PolicyInstance, time: string): string => {
  const around = world();
  around.wall = Date.parse(time);
  return outcome(policy(around)).split(' ')[0]!;
};

test('time: days and hours in a zone', () => {
  const policy = (around: World) =>
    of('time = { days = "mon-fri", hours = ["08:00-12:00", "13:00-18:00"], zone = "Europe/Berlin" }', around);
  // 2027-01-04 is a Monday; Berlin is at UTC+1.
  assert.is(at(policy, '2027-01-04T06:59:59Z'), '403');
  assert.is(at(policy, '2027-01-04T07:00:00Z'), 'pass');
  assert.is(at(policy, '2027-01-04T11:00:00Z'), '403');
  assert.is(at(policy, '2027-01-04T16:59:59Z'), 'pass');
  assert.is(at(policy, '2027-01-04T17:00:00Z'), '403');
  assert.is(at(policy, '2027-01-09T09:00:00Z'), '403');
  // In July it is at UTC+2.
  assert.is(at(policy, '2027-07-05T06:00:00Z'), 'pass');
  assert.is(at(policy, '2027-07-05T16:00:00Z'), '403');
});

test('time: hours past midnight belong to the day on which they begin', () => {
  const policy = (around: World) => of('time = { days = ["sun"], hours = "22:00-06:00" }', around);
  // 2027-01-03 is a Sunday.
  assert.is(at(policy, '2027-01-03T21:59:00Z'), '403');
  assert.is(at(policy, '2027-01-03T22:00:00Z'), 'pass');
  assert.is(at(policy, '2027-01-04T05:59:00Z'), 'pass');
  assert.is(at(policy, '2027-01-04T06:00:00Z'), '403');
  assert.is(at(policy, '2027-01-03T05:00:00Z'), '403');
});

test('time: the clock counts when it is changed', () => {
  const policy = (around: World) => of('time = { hours = "02:00-03:00", zone = "Europe/Berlin" }', around);
  // On 2027-03-28 the clock goes from 02:00 to 03:00 at 01:00 UTC.
  assert.is(at(policy, '2027-03-28T00:59:59Z'), '403');
  assert.is(at(policy, '2027-03-28T01:00:00Z'), '403');
  // On 2027-10-31 it goes from 03:00 to 02:00 at 01:00 UTC.
  assert.is(at(policy, '2027-10-31T00:30:00Z'), 'pass');
  assert.is(at(policy, '2027-10-31T01:30:00Z'), 'pass');
  assert.is(at(policy, '2027-10-31T02:00:00Z'), '403');
});

test('time: a zone whose offset is no whole hour, and one instance across a change', () => {
  const around = world();
  const policy = of('time = { days = "wed", hours = "00:00-00:15", zone = "Asia/Kathmandu" }', around);
  const passes = (time: string): boolean => {
    around.wall = Date.parse(time);
    return outcome(policy).startsWith('pass');
  };
  // Kathmandu is at UTC+5:45; 2027-01-06 is a Wednesday.
  assert.equal(['2027-01-05T18:14:59Z', '2027-01-05T18:15:00Z', '2027-01-05T18:29:59Z'].map(passes), [
    false,
    true,
    true,
  ]);
  assert.not.ok(passes('2027-01-05T18:30:00Z'));
  assert.ok(passes('2027-01-12T18:20:00Z'));
});

test('time: from and until', () => {
  const policy = (around: World) =>
    of('time = { from = "2027-01-01T00:00:00+01:00", until = "2027-02-01T00:00:00Z" }', around);
  assert.is(at(policy, '2026-12-31T22:59:59Z'), '403');
  assert.is(at(policy, '2026-12-31T23:00:00Z'), 'pass');
  assert.is(at(policy, '2027-01-31T23:59:59Z'), 'pass');
  assert.is(at(policy, '2027-02-01T00:00:00Z'), '403');
});

test('time: what is wrong', () => {
  const errorsOf = (keys: string): number => decode('allow', `time = ${keys}`).errors.length;
  for (const keys of [
    '{ days = "monday" }',
    '{ hours = "8-18" }',
    '{ hours = "08:00-24:01" }',
    '{ zone = "Mars/Base", days = "mon" }',
  ])
    assert.is(errorsOf(keys), 1, keys);
  assert.is(errorsOf('{ days = ["fri-mon", "WED"], hours = "08:00-24:00", zone = "America/New_York" }'), 0);
});

test('a condition without content is refused: the rule would hold for every caller', () => {
  const errorsOf = (keys: string): readonly string[] => decode('allow', keys).errors;
  for (const keys of ['time = {}', 'time = { zone = "Europe/Berlin" }', 'claims = {}', '[[rules]]\ntime = {}']) {
    assert.is(errorsOf(keys).length, 1, keys);
    assert.match(errorsOf(keys)[0]!, /^This condition (says no time|names no claim)/);
  }
  assert.equal(errorsOf('time = { until = "2027-02-01T00:00:00Z" }'), []);
});

// ---------------------------------------------------------------- lint

test('lint: a rule whose requests are all decided by another rule first', () => {
  const found = (text: string): unknown =>
    lint('allow', text, { moreConsumers: true }).filter((one) => one.startsWith('allow/never'));
  const STAFF = '[[rules]]\ngroups = ["staff"]\n';
  for (const [text, expected] of [
    [`[[rules]]\n${STAFF}`, ['allow/never rules.1']],
    [`${STAFF}[[rules]]\n`, []],
    [`${STAFF}[[rules]]\ngroups = ["staff"]\nmethods = ["GET"]`, ['allow/never rules.1']],
    [`${STAFF}[[rules]]\ngroups = ["staff", "partners"]`, []],
    [`[[rules]]\ngroups = ["staff", "partners"]\n${STAFF}`, ['allow/never rules.1']],
    [`${STAFF}[[deny]]\ngroups = ["staff"]`, ['allow/never rules.0']],
    [`${STAFF}[[deny]]\ngroups = ["staff"]\naddresses = ["192.0.2.0/24"]`, []],
    ['[[rules]]\nscopes = ["a"]\n[[rules]]\nscopes = ["a", "b"]', ['allow/never rules.1']],
    ['[[rules]]\nscopes = ["a", "b"]\n[[rules]]\nscopes = ["a"]', []],
    ['[[rules]]\naddresses = ["192.0.2.0/24"]\n[[rules]]\naddresses = ["192.0.2.0/25"]', []],
    ['[[rules]]\nclaims = { a = "x" }\n[[rules]]\nclaims = { a = "x" }\nroles = ["r"]', ['allow/never rules.1']],
    ['[[rules]]\nclaims = { a = "x" }\n[[rules]]\nclaims = { a = "y" }', []],
  ] as const)
    assert.equal(found(text), expected, text);
});

test('lint: rules that can never hold', () => {
  const consumers = [{ name: 'acme', groups: ['partners'], credentials: [] }] as const;
  const found = (keys: string, extra = {}): string[] => lint('allow', keys, { consumers, ...extra });
  assert.equal(found('groups = ["partners"]'), []);
  assert.equal(found('groups = ["partner"]'), ['allow/never groups']);
  assert.equal(found('groups = ["partner"]', { moreConsumers: true }), []);
  assert.equal(found('consumers = ["initech"]'), ['allow/never consumers']);
  assert.equal(found('consumers = ["initech", "acme"]'), []);
  assert.equal(found('[[rules]]\nmethods = ["POST"]'), ['allow/never rules.0.methods']);
  assert.equal(found('[[rules]]\nmethods = ["HEAD"]'), []);
  assert.equal(found(''), ['allow/no-rule']);
  assert.equal(found('methods = ["GET"]\ndeny = [{ name = "all" }]'), ['allow/no-rule deny.0']);
  assert.equal(found('methods = ["GET"]\n[[rules]]\n'), ['allow/two-forms methods']);
  assert.equal(found("when = 'false'\n[[rules]]\n"), ['allow/two-forms when']);
  assert.equal(found('[[rules]]\nname = "a"\n[[deny]]\nname = "a"\nmethods = ["GET"]'), [
    'allow/rule-name deny.0.name',
  ]);
  assert.equal(found('[[rules]]\nname = "2"\nmethods = ["GET"]\n[[rules]]'), ['allow/rule-name rules.1']);
});

test('lint: a rule whose time is over never holds', () => {
  assert.equal(lint('allow', 'time = { until = "2020-01-01T00:00:00Z" }'), ['allow/never time.until']);
  assert.equal(lint('allow', 'time = { from = "2020-01-01T00:00:00Z" }'), []);
  assert.equal(lint('allow', 'time = { until = "9020-01-01T00:00:00Z" }'), []);
});

test('lint: a consumer that is not in the group of its rule', () => {
  const consumers = [
    { name: 'acme', groups: ['a'], credentials: [] },
    { name: 'initech', groups: ['b'], credentials: [] },
  ] as const;
  assert.equal(lint('allow', 'consumers = ["acme"]\ngroups = ["b"]', { consumers }), ['allow/never groups']);
});

// ---------------------------------------------------------------- the model

interface Facts {
  readonly consumer: ConsumerEntry | undefined;
  readonly claims: Claims | undefined;
  readonly method: string;
  readonly address: string;
}

type RuleModel = { readonly [key: string]: readonly string[] };

/** A rule as its documentation says it, as plainly as possible. */
function naive(rule: RuleModel, { consumer: caller, claims = {}, method, address }: Facts): boolean {
  const some = (wanted: readonly string[], found: readonly string[]): boolean =>
    found.some((one) => wanted.includes(one));
  const listOf = (value: Json | undefined): string[] =>
    Array.isArray(value) ? value.map(String) : value ? [String(value)] : [];
  const scopes = [...listOf(claims['scope']).flatMap((text) => text.split(' ')), ...listOf(claims['scp'])];
  return (
    (!rule['consumers'] || some(rule['consumers'], caller ? [caller.name] : [])) &&
    (!rule['groups'] || some(rule['groups'], caller?.groups ?? [])) &&
    (!rule['roles'] || some(rule['roles'], listOf(claims['roles']))) &&
    (!rule['scopes'] || rule['scopes'].every((scope) => scopes.includes(scope))) &&
    (!rule['methods'] || rule['methods'].includes(method)) &&
    (!rule['addresses'] || rule['addresses'].includes(address))
  );
}

test('random rules agree with a naive model', () => {
  const below = seededBelow(5);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
  const some = (list: readonly string[]): string[] => list.filter(() => below(3) === 0);
  const POOLS: RuleModel = {
    consumers: ['a', 'b', 'c'],
    groups: ['g', 'h', 'i'],
    roles: ['r', 's'],
    scopes: ['x', 'y', 'xy'],
    methods: ['GET', 'POST', 'PUT'],
    addresses: ['192.0.2.1', '192.0.2.2', '2001:db8::1'],
  };
  const randomRule = (): RuleModel => {
    const rule: { [key: string]: string[] } = {};
    for (const [key, pool] of Object.entries(POOLS)) {
      const chosen = below(3) === 0 ? some(pool) : [];
      if (chosen.length > 0) rule[key] = chosen;
    }
    return rule;
  };
  const written = (list: string, rule: RuleModel): string =>
    `[[${list}]]\n${Object.entries(rule)
      .map(([key, values]) => `${key} = ${JSON.stringify(values)}\n`)
      .join('')}`;
  let passed = 0;
  for (let round = 0; round < 300; round++) {
    const rules = Array.from({ length: 1 + below(3) }, randomRule);
    const deny = Array.from({ length: below(3) }, randomRule);
    const policy = of(
      [...rules.map((rule) => written('rules', rule)), ...deny.map((rule) => written('deny', rule))].join(''),
    );
    for (let asked = 0; asked < 30; asked++) {
      const facts: Facts = {
        consumer: below(4) === 0 ? undefined : consumer(pick(POOLS['consumers']!), ...some(POOLS['groups']!)),
        claims:
          below(4) === 0
            ? undefined
            : { roles: some(POOLS['roles']!), scope: some(POOLS['scopes']!).join(' '), scp: some(POOLS['scopes']!) },
        method: pick(POOLS['methods']!),
        address: pick(POOLS['addresses']!),
      };
      const expected = !deny.some((rule) => naive(rule, facts)) && rules.some((rule) => naive(rule, facts));
      const { consumer: caller, claims, method, address } = facts;
      const given: Given = {
        method,
        remoteAddress: address,
        ...(caller && { consumer: caller }),
        ...(claims && { claims }),
      };
      assert.is(outcome(policy, given).startsWith('pass'), expected, JSON.stringify({ rules, deny, facts }));
      if (expected) passed++;
    }
  }
  assert.ok(passed > 500 && passed < 8500, String(passed));
});

test('settings are plain and hold no undefined', () => {
  const settings = compile('allow', 'groups = ["a"]\ntime = { days = "sat-sun" }');
  assert.equal(JSON.parse(JSON.stringify(settings)), settings);
});

test('a rule without conditions allows everybody', () => {
  const on: Exchange = exchange();
  assert.is(before(of('rules = [{}]'), on), undefined);
});

test.run();
