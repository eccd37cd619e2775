/** `when` of policies: read, located, folded, emitted. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/compiler/index.js';
import { checkExpression } from '../../src/expression/check.js';
import { isProblem } from '../expression/support.js';
import { CONSUMER, check, checked, codes, HEAD, KEYS, ORDERS, route } from '../lint/kit.js';

const LIMIT = '[policy.polite]\nuse = "rate-limit"\nlimit = "5/min"\nby = "ip"\n';
const USES = 'to = "orders"\npolicies = ["polite"]';

const bundleOf = (text: string) => {
  const { value, diagnostics } = checked(HEAD + ORDERS + text);
  assert.equal(codes(diagnostics.filter(({ severity }) => severity === 'error')), []);
  return compile(value!).bundle;
};

test('named policies and policies in place accept a condition', () => {
  const { program } = bundleOf(
    `${LIMIT}when = 'request.method == "POST"'\n${route('POST /a', USES)}${route('POST /b', `to = "orders"\npolicies = [{ use = "headers", reply.set = { x-a = "1" }, when = "reply.status > 399" }]`)}`,
  );
  const [named, inPlace] = program.policies;
  assert.equal(named?.when?.code, ['==', ['fact', 'request.method'], 'POST']);
  assert.is(named?.config['when'], 'request.method == "POST"');
  assert.is(named?.origins['when']?.line, 10);
  assert.equal(inPlace?.when?.source, 'reply.status > 399');
});

test('the condition of an allow policy is that of its rule: it cannot skip the policy and let requests pass', () => {
  const access = '[policy.access]\nuse = "allow"\ngroups = ["staff"]\nwhen = \'request.method == "POST"\'\n';
  const { program } = bundleOf(
    `${CONSUMER}${KEYS}${access}${route('/a', 'to = "orders"\npolicies = ["keys", "access"]')}`,
  );
  const found = program.policies.find(({ use }) => use === 'allow')!;
  assert.is(found.when, undefined);
  const { rules } = found.settings as { readonly rules: readonly { readonly when?: { readonly source: string } }[] };
  assert.is(rules[0]?.when?.source, 'request.method == "POST"');
});

test('an error in an expression is located in every kind of TOML string', () => {
  const spelled: readonly (readonly [string, number, number])[] = [
    [`'request.metod == ""'`, 10, 17],
    ['"request.metod == \\"\\""', 10, 17],
    ["'''\n\n  request.metod == \"\"'''", 12, 11],
    ['"""\\\n   request.metod == \'\'"""', 11, 12],
    ['"\\u0072equest.metod == \'\'"', 10, 22],
  ];
  for (const [text, line, column] of spelled) {
    const [found] = check(`${LIMIT}when = ${text}\n${route('/a', USES)}`);
    assert.is(found?.code, 'expression/unknown-name', text);
    assert.equal([found?.span.start.line, found?.span.start.column], [line, column], text);
    assert.is(found!.span.end.offset - found!.span.start.offset, 'metod'.length, text);
  }
});

test('a condition must be a string', () => {
  const [found] = check(`${LIMIT}when = true\n${route('/a', USES)}`);
  assert.is(found?.code, 'schema/type');
  assert.match(found?.message ?? '', /Expected a condition, found a boolean/);
});

test('a policy with an error in its condition is left out, so that it is not reported again', () => {
  assert.equal(codes(check(`${LIMIT}when = 'x'\n${route('/a', USES)}`)), ['expression/unknown-name']);
});

test('reply is known only to a policy without effect on requests', () => {
  const marks = (side: string) => `[policy.marks]\nuse = "headers"\n${side}\nwhen = 'reply.status == 200'\n`;
  const uses = route('/a', 'to = "orders"\npolicies = ["marks"]');
  assert.equal(codes(check(`${marks('reply.remove = ["x-a"]')}${uses}`)), []);
  assert.equal(codes(check(`${marks('request.remove = ["x-a"]')}${uses}`)), ['expression/no-reply']);
  // Not known while the config has errors of its own.
  assert.equal(codes(check(`${marks('nonsense = 1')}${uses}`)), ['schema/unknown-key']);
});

test('a constant condition is folded: no condition, or no policy', () => {
  const always = bundleOf(`${LIMIT}when = '1 < 2'\n${route('/a', USES)}`);
  assert.is(always.program.policies.length, 1);
  assert.is(always.program.policies[0]?.when, undefined);
  const never = bundleOf(`${LIMIT}when = 'false'\n${route('/a', USES)}`);
  assert.is(never.program.policies.length, 0);
  assert.equal(never.program.routes[0]?.policies, []);
});

test('a changed condition changes the identity of a policy, not that of its state', () => {
  const entry = (when: string) => bundleOf(`${LIMIT}${when}\n${route('/a', USES)}`).program.policies[0]!;
  const [plain, post, spaced, put] = [
    '',
    `when = 'request.method == "POST"'`,
    `when = ' request.method=="POST" '`,
    `when = 'request.method == "PUT"'`,
  ].map(entry);
  const state = (policy: ReturnType<typeof entry>) => policy.stateIdentity ?? policy.identity;
  assert.is(new Set([plain!, post!, put!].map(({ identity }) => identity)).size, 3);
  assert.is(post?.identity, spaced?.identity);
  assert.is(new Set([plain!, post!, put!].map(state)).size, 1);
});

test('equal policies in place are merged only if their conditions are equal', () => {
  const marks = (when: string) =>
    `to = "orders"\npolicies = [{ use = "headers", reply.set = { x-a = "1" }, when = '${when}' }]`;
  const one = 'request.path.matches("a")';
  const count = (...whens: readonly string[]) =>
    bundleOf(whens.map((when, index) => route(`/r${index}`, marks(when))).join('')).program.policies.length;
  assert.is(count(one, one), 1);
  assert.is(count(one, 'request.path.matches("b")'), 2);
});

test('a conditional authenticator does not authenticate', () => {
  const keys = `${KEYS}when = '"x-api-key" in request.headers'\n`;
  const byConsumer = LIMIT.replace('by = "ip"', 'by = "consumer"');
  const uses = (list: string) => `to = "orders"\npolicies = [${list}]`;
  const same = `when = '"x-api-key" in request.headers'\n`;
  assert.equal(codes(check(`${CONSUMER}${KEYS}${byConsumer}${route('/a', uses('"keys", "polite"'))}`)), []);
  assert.equal(codes(check(`${CONSUMER}${keys}${byConsumer}${route('/a', uses('"keys", "polite"'))}`)), [
    'limit/before-authentication',
  ]);
  // A limit with the same condition counts what the authenticator has seen.
  assert.equal(codes(check(`${CONSUMER}${keys}${byConsumer}${same}${route('/a', uses('"keys", "polite"'))}`)), []);
  const more = `[policy.more]\nuse = "api-key"\nheader = "x-more"\n`;
  const found = check(
    `${CONSUMER}${keys}${more}${route('POST /a', uses('"more"'))}${route('POST /b', uses('"keys"'))}`,
  );
  assert.equal(codes(found), ['route/unauthenticated']);
  assert.match(found[0]?.message ?? '', /whenever the condition of policy `keys` does not hold/);
});

test('hostile conditions in a spec are checked in bounded time', () => {
  const started = performance.now();
  for (const source of [
    '('.repeat(4000),
    `${'!'.repeat(4000)}true`,
    `request.path.matches("${'(a|b)*'.repeat(200)}c{200}")`,
    `request.path.matches("(a*)*${'.*x'.repeat(300)}")`,
    `[${'1,'.repeat(199)}1].map(a, [${'1,'.repeat(100)}1].map(b, a * b)).size() == 1`,
    `${'"a" + '.repeat(300)}"a" == ""`,
  ])
    assert.ok(isProblem(checkExpression(source, { reply: false })) || source.length > 0);
  assert.ok(performance.now() - started < 3000);
});

test.run();
