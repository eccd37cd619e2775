/** Paths that policies answer themselves: the routes that the compiler makes of them. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkProgram } from '../../src/bundle/program-check.js';
import { compile } from '../../src/compiler/index.js';
import { check, project, removeProjects } from '../custom/project.js';

test.after(removeProjects);

const VISITS = `
import { BytesReply, definePolicy, s } from 'gw/policy';
export default definePolicy({
  summary: 'Counts visits',
  phase: 'authenticate',
  authenticator: true,
  schema: s.object({ path: s.string().default('/visits') }),
  traits: () => ({ authenticates: true }),
  paths: ({ path }) => [
    { name: 'count', match: 'GET ' + path, at: ['path'] },
    { name: 'reset', match: 'POST,PUT ' + path, at: ['path'], maxBody: 64 },
  ],
  create: () => ({
    authenticate: () => ({ outcome: 'identity', why: 'anyone' }),
    answer: () => new BytesReply(204, {}),
  }),
});
`;

const folder = (text: string): string =>
  project({
    'gateway.toml': `spec = 1
[listener.main]
address = "127.0.0.1:8080"
[listener.other]
address = "127.0.0.1:8081"
[listener.third]
address = "127.0.0.1:8082"
[service.orders]
targets = ["http://127.0.0.1:4003"]
[policy.visits]
use = "./visits.ts"
${text}`,
    'visits.ts': VISITS,
  });

const checked = (text: string) => check(folder(text));
const codesOf = (text: string): string[] => checked(text).diagnostics.map(({ code }) => code);

function compiled(text: string) {
  const { value, diagnostics } = checked(text);
  assert.equal(
    diagnostics.filter(({ severity }) => severity === 'error'),
    [],
  );
  const { program } = compile(value!).bundle;
  assert.is(checkProgram(program), undefined);
  return { program, route: (name: string) => program.routes.find((route) => route.name === name)! };
}

const ROUTE = `
[[route]]
name = "hello"
match = "GET /hello"
to = "orders"
policies = ["visits"]
`;

test('each path is a route that names the policy, its place and its bound', () => {
  const { program, route } = compiled(ROUTE);
  const { action, answers, maxBodyBytes, match, policies, service, source } = route('visits/reset');
  assert.is(program.policies[answers!]!.name, 'visits');
  assert.equal(action, {
    settings: { path: 'reset', policy: 'visits' },
    summary: 'answered by policy visits',
    use: 'policy',
  });
  assert.equal([match, maxBodyBytes, policies, service], ['POST,PUT /visits', 64, [], -1]);
  assert.equal(source, { from: 'spec', file: 'gateway.toml', line: 10 });
  assert.is(route('visits/count').maxBodyBytes, 0);
});

test('a path has the listeners and hosts of all routes of its policy', () => {
  const at = (name: string, host: string, listener: string): string => `
[[route]]
name = "${name}"
match = { path = "/${name}", host = "${host}" }
to = "orders"
listeners = ["${listener}"]
policies = ["visits"]
`;
  const both = checked(at('a', 'a.example', 'other') + at('b', 'b.example', 'main')).value!.policyRoutes[0]!;
  assert.equal(both.match.hosts, ['a.example', 'b.example']);
  assert.equal(
    both.listeners.map(({ name }) => name),
    ['other', 'main'],
  );
  const any = checked(at('a', 'a.example', 'other') + ROUTE).value!.policyRoutes[0]!;
  assert.equal([any.match.hosts, any.listeners], [[], []]);
});

test('guards and outermost policies that all routes have apply; others do not', () => {
  const { program, route } = compiled(`
[policy.early]
use = "rate-limit"
limit = "10/s"
at = "guard"
[policy.late]
use = "rate-limit"
limit = "10/s"
[policy.small]
use = "compress"
[policy.one]
use = "cors"
origins = ["https://a.example"]
[defaults]
policies = ["early", "late", "small"]
[[route]]
match = "GET /a"
to = "orders"
policies = ["visits", "one"]
[[route]]
match = "GET /b"
to = "orders"
policies = ["visits"]
`);
  assert.equal(
    route('visits/count').policies.map((index) => program.policies[index]!.name),
    ['early', 'small'],
  );
});

test('a member of any-of answers its paths; a policy that no route uses does not', () => {
  const anyOf = `
[policy.more]
use = "./visits.ts"
path = "/more"
[policy.keys]
use = "any-of"
policies = ["visits", "more"]
[[route]]
name = "hello"
match = "GET /hello"
to = "orders"
policies = ["keys"]
`;
  assert.is(compiled(anyOf).route('visits/count').answers! >= 0, true);
  assert.equal(checked('[[route]]\nmatch = "GET /hello"\nto = "orders"\n').value!.policyRoutes, []);
});

test('a policy without effect answers nothing', () => {
  const { program } = compiled(`when = "false"\n${ROUTE}`);
  assert.equal(
    program.routes.map(({ name }) => name),
    ['hello'],
  );
});

test('collisions are errors: with a route, and between two policies', () => {
  const taken = '[[route]]\nname = "taken"\nmatch = "GET /visits"\nto = "orders"\npolicies = ["visits"]\n';
  assert.equal(codesOf(taken), ['route/duplicate']);
  const two = `[policy.more]\nuse = "./visits.ts"\n${ROUTE}[[route]]\nmatch = "GET /b"\nto = "orders"\npolicies = ["more"]\n`;
  assert.equal(codesOf(two), ['route/duplicate', 'route/duplicate']);
  const general = '[[route]]\nmatch = "/{rest...}"\nto = "orders"\npolicies = ["visits"]\n';
  assert.equal(codesOf(general), []);
});

test('a path is a method and a path without parameters', () => {
  for (const path of ['/a/{b}', '/a/{rest...}', 'a', '/a//b'])
    assert.equal(codesOf(`path = "${path}"\n${ROUTE}`), ['policy/path', 'policy/path'], path);
});

test('the name of a route of the spec stays its own', () => {
  const { program } = compiled(
    `${ROUTE}[[route]]\nname = "visits/count"\nmatch = "GET /b"\nto = "orders"\npolicies = ["visits"]\n`,
  );
  assert.equal(
    program.routes.map(({ name }) => name),
    ['hello', 'visits/count', 'visits/count #2', 'visits/reset'],
  );
});

test.run();
