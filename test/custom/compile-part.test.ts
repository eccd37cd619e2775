/** The compile part of custom code runs in a helper thread; whatever it does ends as a located diagnostic. */
import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/compiler/index.js';
import { CodeThread } from '../../src/custom/code-thread.js';
import { check, LOWER, policyWith, project, removeProjects, specWith, TENANT } from './project.js';

const thread = new CodeThread(20_000);
test.after(() => thread.close());
test.after(removeProjects);

/** Throws for whatever is done with it. */
const BAD =
  'const fail = (): never => { throw 1 }; const BAD = new Proxy(new Error(), { get: fail, has: fail, getPrototypeOf: fail });';

const withPolicy = (policy: string, keys = ''): string =>
  project({ 'gateway.toml': specWith('./own.ts', keys), 'own.ts': policy });

/** Code, message, and line in the spec. */
function diagnosticsOf(policy: string, keys = '', code = thread) {
  return check(withPolicy(policy, keys), code).diagnostics.map((found) => ({
    code: found.code,
    message: found.message,
    line: found.span.start.line,
    related: found.related?.[0]?.span,
  }));
}

test('a custom policy is decoded by its schema and compiled with its code', () => {
  const folder = project({
    'gateway.toml': specWith('./policies/tenant.ts', 'allowed = ["acme"]'),
    'policies/tenant.ts': TENANT,
    'policies/lower.ts': LOWER,
  });
  const { value, diagnostics } = check(folder, thread);
  assert.equal(diagnostics, []);
  const { bundle } = compile(value!);
  const [policy] = bundle.program.policies;
  assert.equal(policy?.settings, { header: 'x-tenant', allowed: ['acme'] });
  assert.is(policy?.phase, 'authorize');
  assert.equal(policy?.origins['header'], { from: 'default' });
  assert.is(policy?.origins['allowed']?.line, 7);
  assert.equal([...bundle.code!.keys()], [policy?.code]);
  assert.equal(
    bundle.program.provenance.files.map(({ path }) => path),
    ['gateway.toml', 'policies/lower.ts', 'policies/tenant.ts'],
  );
});

test('errors of its schema are located in the spec', () => {
  const [first] = diagnosticsOf(policyWith('schema: s.object({ max: s.integer() }), create: () => ({})'), 'max = "x"');
  assert.is(first?.code, 'schema/type');
  assert.is(first?.line, 7);
});

test('expressions in its config are checked, located, and part of its settings', () => {
  const policy = policyWith(
    'schema: s.object({ rules: s.array(s.object({ when: s.expression() })) }), create: () => ({})',
  );
  const [wrong] = diagnosticsOf(policy, `rules = [{ when = 'request.methd == "GET"' }]`);
  assert.equal([wrong?.code, wrong?.line], ['expression/unknown-name', 7]);
  const [unknown] = diagnosticsOf(policy, `rules = [{ when = 'request.params["id"] == "1"' }]`);
  assert.equal([unknown?.code, unknown?.line], ['expression/unknown-parameter', 7]);
  const { value, diagnostics } = check(withPolicy(policy, `rules = [{ when = 'request.method == "GET"' }]`), thread);
  assert.equal(diagnostics, []);
  const { settings, config } = compile(value!).bundle.program.policies[0]!;
  const entry = { code: ['==', ['fact', 'request.method'], 'GET'], source: 'request.method == "GET"' };
  assert.equal(settings, { rules: [{ when: entry }] });
  assert.equal(config, { rules: [{ when: entry.source }] });
});

test('without a schema it has no keys', () => {
  const [first] = diagnosticsOf(policyWith('create: () => ({})'), 'max = 1');
  assert.is(first?.code, 'schema/unknown-key');
});

test('lint reports at the key, and compile gives the settings', () => {
  const policy = policyWith(`schema: s.object({ file: s.string() }),
    lint: ({ file }, context, report) => { const { cause } = context.readFile(file); if (cause) report({ severity: 'error', at: ['file'], message: cause + '!' }); },
    compile: ({ file }, context) => ({ text: context.readFile(file).text, routes: context.routes.length, consumers: context.consumers.length }),
    create: () => ({})`);
  const [first] = diagnosticsOf(policy, 'file = "none.txt"');
  assert.equal([first?.code, first?.line, first?.message], ['custom/lint-error', 7, 'no such file!']);
  const folder = project({
    'gateway.toml': specWith('./own.ts', 'file = "a.txt"'),
    'own.ts': policy,
    'a.txt': 'words',
  });
  const { value } = check(folder, thread);
  assert.equal(compile(value!).bundle.program.policies[0]?.settings, { text: 'words', routes: 1, consumers: 0 });
});

test('a policy that sends a field to a service whose policy sets it is an error at the call', () => {
  const service = [
    '[service.auth]',
    'targets = ["http://127.0.0.1:1"]',
    'policies = ["sign"]',
    '[policy.sign]',
    'use = "upstream-auth"',
    'fields = { x-key = "${env:KEY}" }',
  ].join('\n');
  const asks = (field: string): string =>
    policyWith(
      `calls: () => [{ at: [], service: 'auth' }], traits: () => ({ callFields: ['${field}'] }), create: () => ({})`,
    );
  assert.equal(
    diagnosticsOf(asks('X-Key'), service).map(({ code, line }) => `${code} ${line}`),
    ['service/call-field 5'],
  );
  assert.equal(diagnosticsOf(asks('x-other'), service), []);
});

for (const [what, parts, message] of [
  ['a throw of compile', `compile() { throw new Error('no luck') }, create: () => ({})`, /no luck \(`own\.ts:5:\d+`\)/],
  ['a throw of lint', `lint() { null.x }, create: () => ({})`, /Cannot read properties of null/],
  ['a throw of traits', `traits() { throw 1 }, create: () => ({})`, /The code throws: 1/],
  [
    'settings with a function',
    `compile: () => ({ a: () => 1 }), create: () => ({})`,
    /`settings\.a` must be plain JSON/,
  ],
  [
    'settings with a date',
    `compile: () => ({ a: [new Date(0)] }), create: () => ({})`,
    /`settings\.a\.0` .* class Date/,
  ],
  ['a promise', `compile: async () => ({}), create: () => ({})`, /a promise/],
  [
    'settings that contain themselves',
    `compile() { const a = {}; a.a = a; return a }, create: () => ({})`,
    /nested too deeply/,
  ],
  ['an unknown phase', `phase: 'late', create: () => ({})`, /`phase` must be one of/],
  ['a body without a bound', `body: () => ({ request: {} }), create: () => ({})`, /`body\.request\.max`/],
  ['no create', `create: undefined`, /does not export a policy/],
  ['an async lint', `async lint() {}, create: () => ({})`, /`the result of lint\(\)` .* a promise/],
  ['a promise that lint leaves', `lint() { Promise.reject(new Error('left')) }, create: () => ({})`, /a timer: left/],
  [
    'a reported text',
    `lint: (c, x, report) => report('no'), create: () => ({})`,
    /that lint\(\) reports` must be an object/,
  ],
  [
    'a reported problem of unknown severity',
    `lint: (c, x, report) => report({ severity: 'fatal', at: [], message: 'm' }), create: () => ({})`,
    /must be an object with `severity`/,
  ],
  ['a service that is no text', `calls: () => [{ at: [], service: 5 }], create: () => ({})`, /`calls` must be a list/],
  ['a call without a place', `calls: () => [{ service: 'app' }], create: () => ({})`, /`calls` must be a list/],
  ['a call of nothing', `calls: () => [{ at: [] }], create: () => ({})`, /`calls` must be a list/],
  ['a member without a place', `members: () => [{ name: 'x' }], create: () => ({})`, /`members` must be a list/],
  ['a trait of the wrong type', `traits: () => ({ authenticates: 'yes' }), create: () => ({})`, /`traits` must be/],
  ['an unknown trait', `traits: () => ({ authenticate: true }), create: () => ({})`, /`traits` must be/],
  ['problems without a status', `problems: [{ code: 'a/b' }], create: () => ({})`, /`problems` must be a list/],
  ['a duty without create()', `duty: { wait: 1 }, create: () => ({})`, /`duty` must be an object with create/],
  ['a duty that waits for ever', `duty: { wait: Infinity, create() {} }, create: () => ({})`, /`duty\.wait` must be/],
  ['a body that is a text', `body: () => '1MiB', create: () => ({})`, /`body` must be an object/],
  [
    'a schema that gives no object',
    `schema: s.mapped(s.object({}), () => 'x'), create: () => ({})`,
    /`schema` must give an object/,
  ],
] as const) {
  test(`${what} is a diagnostic`, () => {
    const [first] = diagnosticsOf(policyWith(parts.replaceAll('null.x', '(null as any).x')));
    assert.is(first?.code, 'custom/code', first?.message);
    assert.match(first!.message, message);
  });
}

test('a throw at load is located in the source', () => {
  const [first] = diagnosticsOf(policyWith('create: () => ({})', `\n\nthrow new Error('early');`));
  assert.match(first!.message, 'early');
  assert.equal([first?.related?.file, first?.related?.start.line], ['own.ts', 5]);
});

test('what lint reports is bounded', () => {
  const flood = "for (let i = 0; i < 1000; i++) report({ severity: 'warning', at: [], message: `number ${i}` });";
  const found = diagnosticsOf(policyWith(`lint(c, x, report) { ${flood} }, create: () => ({})`));
  assert.is(found.length, 100);
});

test('a timer that a policy leaves is not an error of the next policy', async () => {
  const code = new CodeThread(20_000);
  const leaving = policyWith(
    `lint() { setTimeout(() => { throw new Error('left'); }, 1); setTimeout(() => {}, 1000); }, create: () => ({})`,
  );
  assert.equal(diagnosticsOf(leaving, '', code), []);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(diagnosticsOf(policyWith('create: () => ({})'), '', code), []);
  code.close();
});

// A pipe for its output kept `gw validate` open for ten more seconds.
test('the thread does not keep the process of a command open', async () => {
  const held = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'MessagePort').length;
  const code = new CodeThread(20_000);
  assert.equal(diagnosticsOf(policyWith('create: () => ({})'), '', code), []);
  await new Promise((resolve) => setImmediate(resolve));
  assert.is(held(), 0);
  code.close();
});

test('what code prints goes to standard error, not into the JSON of a command', () => {
  const folder = withPolicy(policyWith('create: () => ({})', '').concat("console.log('printed');\n"));
  const { status, stdout, stderr } = spawnSync(process.execPath, ['bin/gw.js', 'validate', '--json', folder], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.is(status, 0, stderr);
  assert.is((JSON.parse(stdout) as { readonly version: number }).version, 1);
  assert.match(stderr, 'printed');
});

test('an endless loop ends at the time limit, and the next policy is checked by a fresh thread', () => {
  const impatient = new CodeThread(300);
  const [first] = diagnosticsOf(policyWith('compile() { for (;;); }, create: () => ({})'), '', impatient);
  assert.match(first!.message, 'did not finish within 300 ms');
  const patient = new CodeThread(20_000);
  assert.equal(diagnosticsOf(policyWith('create: () => ({})'), '', patient), []);
  for (const one of [impatient, patient]) one.close();
});

for (const [what, parts, head, message] of [
  ['process.exit()', 'compile: () => process.exit(0), create: () => ({})', '', /ends its thread/],
  ['process.exit() at load', 'create: () => ({})', 'process.exit(0);', /ends its thread/],
  ['a rejected promise', 'create: () => ({})', "Promise.reject(new Error('late'));", /in a promise or a timer: late/],
  ['a throw that cannot be shown', 'compile() { throw BAD }, create: () => ({})', BAD, /The code throws/],
] as const) {
  test(`code that ends its thread is a diagnostic at once: ${what}`, () => {
    const code = new CodeThread(20_000);
    const started = performance.now();
    const [first] = diagnosticsOf(policyWith(parts, head), '', code);
    assert.is(first?.code, 'custom/code');
    assert.match(first!.message, message);
    assert.ok(performance.now() - started < 15_000);
    assert.equal(diagnosticsOf(policyWith('create: () => ({})'), '', code), []);
    code.close();
  });
}

test('settings that contain themselves give a short message', () => {
  const [first] = diagnosticsOf(policyWith('compile() { const a = {}; a.a = a; return a }, create: () => ({})'));
  assert.ok(first!.message.length < 300);
});

test('a custom policy that authenticates can be a member of any-of, also if it is not run', () => {
  const policy = policyWith(
    `authenticator: true, create: () => ({ authenticate: () => ({ outcome: 'identity', why: 'known' }) })`,
  ).replace("'authorize'", "'authenticate'");
  const keys = `[policy.two]\nuse = "./own.ts"\n[policy.any]\nuse = "any-of"\npolicies = ["own", "two"]`;
  const spec = specWith('./own.ts', keys).replace('policies = ["own"]', 'policies = ["any"]');
  const folder = project({ 'gateway.toml': spec, 'own.ts': policy });
  assert.equal(check(folder, thread).diagnostics, []);
  assert.equal(check(folder, 'none').diagnostics, []);
});

test('without a thread, the condition of a policy may read the reply', () => {
  const folder = withPolicy(
    policyWith('replyOnly: () => true, create: () => ({})').replace("'authorize'", "'transform'"),
    'when = "reply.status == 200"',
  );
  assert.equal(check(folder, thread).diagnostics, []);
  assert.equal(check(folder, 'none').diagnostics, []);
});

test('without a thread, no code runs', () => {
  const folder = withPolicy(policyWith('create: () => ({})', `throw new Error('ran');`));
  const { diagnostics, unchecked } = check(folder, 'none');
  assert.equal(diagnostics, []);
  assert.equal(unchecked, ['./own.ts']);
});

test('an action in the place of a policy is refused', () => {
  const action = `import { BytesReply, defineAction } from 'gw/policy';\nexport default defineAction({ summary: 'x', create: () => ({ start: () => new BytesReply(204) }) });`;
  const [first] = diagnosticsOf(action);
  assert.match(first!.message, 'exports an action, but a policy is needed');
});

test.run();
