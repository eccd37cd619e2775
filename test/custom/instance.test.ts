/** What create() and authenticate() of custom code may return: everything else is refused, since it would let requests pass. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ActionHost, Authentication, PolicyHost } from '../../src/contract/index.js';
import { defineAction, definePolicy } from '../../src/custom/define.js';
import type { PolicyDefinition } from '../../src/custom/definition.js';
import { isAlone } from '../../src/custom/evaluate.js';
import { actionInstanceOf, checkedAuthentication, instanceOf } from '../../src/custom/instance.js';

const host = {} as PolicyHost & ActionHost;

/** Runs code whose types are those of plain JavaScript. */
const untyped = (text: string): never => Function(`return (${text})`)() as never;

const policy = (result: string, parts: Partial<PolicyDefinition> = {}): PolicyDefinition =>
  definePolicy({ summary: 'A test', phase: 'authorize', create: () => untyped(result), ...parts } as never);

for (const [what, result, message] of [
  ['a promise of hooks', '(async () => ({ before() {} }))()', /create\(\) returns a promise/],
  ['null', 'null', /must return an object with hooks, not null/],
  ['a text', '"before"', /must return an object with hooks, not string/],
  ['no hook', '{ befor() {}, stats() {} }', /returns no hook that takes part in an exchange/],
  ['a hook that is no function', '{ before: "x" }', /before must be a function, but it is a string/],
  ['a hook that is null', '{ before() {}, after: null }', /after must be a function, but it is null/],
  [
    'one name in place of a list',
    '{ before() {}, requestFields: "x-a" }',
    /requestFields must be a list of field names/,
  ],
  ['names that are none of fields', '{ before() {}, clientFields: ["a b"] }', /clientFields must be a list/],
  ['parameters that are no texts', '{ before() {}, secretParams: [1] }', /secretParams must be a list of names/],
  ['a hook for bodies without `body`', '{ onReplyBody() {} }', /onReplyBody is never called/],
] as const)
  test(`a policy whose create() gives ${what} is refused at load`, () => {
    assert.throws(() => instanceOf(policy(result), null, host), message);
  });

test('an authenticator without authenticate() is refused at load', () => {
  const definition = policy('{ before() {} }', { phase: 'authenticate', authenticator: true });
  assert.throws(() => instanceOf(definition, null, host), /create\(\) returns no authenticate\(\)/);
});

test('hooks of a class are found', () => {
  const instance = instanceOf(policy('new (class { before() {} })()'), null, host);
  assert.type(instance.before, 'function');
});

test('an action without start() is refused at load', () => {
  const action = (result: string) => defineAction({ summary: 'A test', create: () => untyped(result) });
  assert.throws(() => actionInstanceOf(action('{}'), null, host), /returns no start\(\)/);
  assert.throws(() => actionInstanceOf(action('{ start: 1 }'), null, host), /start must be a function/);
  assert.throws(() => actionInstanceOf(action('Promise.resolve({ start() {} })'), null, host), /returns a promise/);
});

const PROBLEM = { code: 'a/b', title: 'A title' };

for (const found of [
  undefined,
  true,
  {},
  { outcome: 'ok', why: 'x' },
  { outcome: 'identity' },
  { outcome: 'identity', why: 'x', consumer: 'acme' },
  { outcome: 'identity', why: 'x', consumer: { name: 'acme' } },
  { outcome: 'identity', why: 'x', consumer: { name: 'acme', tags: {} }, credential: 'key-1' },
  { outcome: 'identity', why: 'x', claims: 'admin' },
  { outcome: 'refused', why: 'x' },
  { outcome: 'refused', why: 'x', problem: { ...PROBLEM, status: 200 } },
  { outcome: 'absent', why: 'x', problem: { title: 'A title' } },
])
  test(`authenticate() that returns ${JSON.stringify(found)} does not authenticate`, () => {
    assert.throws(() => checkedAuthentication(found as unknown as Authentication), /authenticate\(\) returned/);
  });

test('every outcome of the contract is accepted', () => {
  const consumer = { name: 'acme', groups: [], credentials: [], tags: {} };
  const outcomes: Authentication[] = [
    { outcome: 'identity', why: 'x' },
    { outcome: 'identity', why: 'x', consumer, claims: { sub: 'acme' } },
    { outcome: 'absent', why: 'x', pass: true, problem: PROBLEM },
    { outcome: 'refused', why: 'x', problem: { ...PROBLEM, status: 403 } },
    { outcome: 'unavailable', why: 'x' },
  ];
  for (const outcome of outcomes) assert.is(checkedAuthentication(outcome), outcome);
});

test('an error arose in custom code alone only if its whole stack says so', () => {
  const error = (...frames: string[]): unknown => {
    const made = new Error('x');
    made.stack = ['Error: x', ...frames.map((frame) => `    at ${frame}`)].join('\n');
    return made;
  };
  const timer = 'Timeout._onTimeout (custom:./own.ts:3:5)';
  const node = 'listOnTimeout (node:internal/timers:581:17)';
  const gw = 'Chain.enter (file:///app/node_modules/gw/dist/src/proxy/exchange/chain/chain.js:87:53)';
  assert.ok(isAlone(error(timer, 'Array.map (<anonymous>)', node)));
  assert.not(isAlone(error(timer, node, gw)));
  assert.not(isAlone(error(node)));
  assert.not(isAlone(error()));
  assert.not(isAlone(error(...Array<string>(Error.stackTraceLimit).fill(timer))));
  assert.not(isAlone('custom:./own.ts'));
});

test.run();
