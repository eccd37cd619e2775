/** Services that policies call: names are resolved, URLs become implicit services. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkProgram } from '../../src/bundle/program-check.js';
import { compile } from '../../src/compiler/index.js';
import { checkSpec } from '../../src/lint/index.js';
import type { CallTarget } from '../../src/policies/contract.js';
import { parseCallUrl } from '../../src/schema/call-url.js';
import type { Diagnostic } from '../../src/schema/diagnostic.js';
import { resolveCalls } from '../../src/spec/calls.js';
import type { ServiceModel } from '../../src/spec/model.js';
import { DeclaredNames } from '../../src/spec/names.js';

const here = { offset: 7, line: 3, column: 2 };
const span = { file: 'gateway.toml', start: here, end: here };
const caller = (name: string, calls: readonly CallTarget[]) => ({
  of: { name },
  entity: `policy.${name}`,
  config: {},
  declaration: { calls: () => calls },
  spanOf: () => span,
});

function resolve(callers: Parameters<typeof resolveCalls>[0]) {
  const services = new DeclaredNames<ServiceModel>();
  const declared = { name: 'auth' } as ServiceModel;
  services.add('auth', declared);
  services.add('broken', undefined);
  const found: Diagnostic[] = [];
  const read: string[] = [];
  const calls = resolveCalls(
    callers,
    services,
    (entry) => {
      read.push(entry.key);
      return { name: entry.key } as ServiceModel;
    },
    (diagnostic) => found.push(diagnostic),
  );
  return { ...calls, declared, found, read };
}

test('a name is resolved; an unknown one is reported at its place, and not one whose service has errors', () => {
  const good = caller('a', [{ at: ['service'], service: 'auth' }]);
  const bad = caller('b', [
    { at: ['service'], service: 'auht' },
    { at: ['service'], service: 'broken' },
  ]);
  const { byCaller, declared, found } = resolve([good, bad]);
  assert.equal(byCaller.get(good.of), [declared]);
  assert.is(byCaller.get(bad.of), undefined);
  assert.equal(
    found.map(({ code, entity, span: place }) => [code, entity, place]),
    [['name/unresolved', 'policy.b', span]],
  );
  assert.match(found[0]!.help!, /auth/);
});

test('URLs with the same origin become one implicit service, named by it', () => {
  const one = caller('a', [{ at: ['url'], url: 'https://Auth.example:443/check?x=1' }]);
  const two = caller('b', [{ at: ['url'], url: 'https://auth.example/other' }]);
  const { byCaller, implicit, read } = resolve([one, two, one]);
  assert.equal(read, ['https://auth.example']);
  assert.equal(implicit, [{ name: 'https://auth.example', implicit: true }]);
  assert.is(byCaller.get(one.of)![0], byCaller.get(two.of)![0]);
});

test('a URL that cannot be called is reported', () => {
  const urls = ['ftp://a.example', 'a.example/x', 'https://user:secret@a.example/', 'https://a.example/#x'];
  const { found } = resolve(urls.map((url) => caller('a', [{ at: ['url'], url }])));
  assert.equal(
    found.map(({ code }) => code),
    urls.map(() => 'schema/format'),
  );
  assert.not.match(JSON.stringify(found), /secret/);
});

test('a URL consists of an origin and what requests contain', () => {
  assert.equal(parseCallUrl('http://127.0.0.1:80/a?b=c'), { origin: 'http://127.0.0.1', path: '/a?b=c' });
  assert.equal(parseCallUrl('https://[::1]:8443'), { origin: 'https://[::1]:8443', path: '/' });
});

const SPEC = (policy: string, more = ''): string => `spec = 1
[listener.main]
address = "127.0.0.1:8080"
[service.orders]
targets = ["http://127.0.0.1:4003"]
${more}
[[route]]
name = "orders"
match = "GET /orders"
to = "orders"
policies = [${policy}]
`;

test('an implicit service has the defaults of services, and its policy names it', () => {
  const text = SPEC(
    '{ use = "forward-auth", url = "http://127.0.0.1:4010/check" }',
    '[defaults.service]\nresponse_timeout = "7s"',
  );
  const { value, diagnostics } = checkSpec({ path: 'gateway.toml', text });
  assert.equal(diagnostics, []);
  const { program } = compile(value!).bundle;
  const [, implicit] = program.services;
  assert.equal(implicit!.targets, [{ url: 'http://127.0.0.1:4010', weight: 1 }]);
  assert.equal(
    [implicit!.name, implicit!.implicit, implicit!.host, implicit!.responseTimeout],
    ['http://127.0.0.1:4010', true, 'target', 7000],
  );
  assert.equal(program.policies[0]!.calls, ['http://127.0.0.1:4010']);
  assert.is(checkProgram(JSON.parse(JSON.stringify(program))), undefined);
  const lost = checkProgram({ ...program, services: program.services.slice(0, 1) });
  assert.is(lost, 'policy 0 calls a service that does not exist');
});

test('rules about targets and services apply to URLs and names that policies call', () => {
  const codesOf = (text: string): string[] =>
    checkSpec({ path: 'gateway.toml', text }).diagnostics.map(({ code, span: place }) => `${code} ${place.start.line}`);
  const loop = SPEC('{ use = "forward-auth", url = "http://127.0.0.1:8080/check" }');
  assert.equal(codesOf(loop), ['target/self-loop 11']);
  const plain = SPEC('{ use = "forward-auth", url = "http://auth.example.com/check" }');
  assert.equal(codesOf(plain), ['target/plaintext 11']);
  const auth = '[service.auth]\ntargets = ["http://127.0.0.1:4010"]';
  assert.equal(codesOf(SPEC('{ use = "forward-auth", service = "auth" }', auth)), []);
  assert.equal(codesOf(SPEC('', auth)), ['service/unused 6']);
  assert.equal(codesOf(SPEC('{ use = "forward-auth", service = "aut" }', auth)), ['name/unresolved 12']);
});

// ---------------------------------------------------------------- signed by the policies of services

const SIGNED = (service: string, more = ''): string =>
  SPEC(
    '{ use = "forward-auth", service = "auth", send = ["cookie"] }',
    `[service.auth]
targets = ["http://127.0.0.1:4010"]
${service}
[policy.sign]
use = "upstream-auth"
oauth2 = { token_url = "http://127.0.0.1:4011/token", client_id = "gw", client_secret = "\${env:S}" }
${more}`,
  );

const programOf = (text: string) => {
  const { value, diagnostics } = checkSpec({ path: 'gateway.toml', text });
  assert.equal(diagnostics, []);
  return compile(value!).bundle.program;
};

test('a service that policies call has its policies in the bundle, also if no route leads to it', () => {
  const program = programOf(SIGNED('policies = ["sign"]'));
  const auth = program.services.find(({ name }) => name === 'auth')!;
  assert.equal(auth.policies, ['sign']);
  const sign = program.policies.find(({ name }) => name === 'sign')!;
  assert.equal((sign.settings as { services?: unknown }).services, ['auth']);
  assert.equal(
    program.services.map(({ policies }) => policies),
    [undefined, ['sign'], undefined],
  );
});

test('a policy with a condition signs no calls', () => {
  const text = SIGNED('policies = ["sign"]', 'when = "request.method == \'POST\'"');
  const { value, diagnostics } = checkSpec({ path: 'gateway.toml', text });
  assert.equal(
    diagnostics.map(({ code }) => code),
    ['service/unsigned-calls'],
  );
  const { program } = compile(value!).bundle;
  assert.equal(
    program.services.flatMap(({ policies = [] }) => policies),
    [],
  );
  // One that always holds is none.
  const always = checkSpec({ path: 'gateway.toml', text: SIGNED('policies = ["sign"]', 'when = "true"') }).value!;
  assert.equal(compile(always).bundle.program.services[1]!.policies, ['sign']);
});

test('an implicit service has no policies, so that a token can be fetched that they need', () => {
  const program = programOf(`${SIGNED('')}\n[defaults.service]\npolicies = ["sign"]\n`);
  assert.equal(
    program.services.map(({ name, policies }) => [name, policies]),
    [
      ['orders', undefined],
      ['auth', ['sign']],
      ['http://127.0.0.1:4011', undefined],
    ],
  );
});

test('a bundle whose policies would sign their own calls without end is refused', () => {
  const program = programOf(SIGNED('policies = ["sign"]'));
  assert.is(checkProgram(program), undefined);
  const services = program.services.map((service) =>
    service.implicit === true ? { ...service, policies: ['sign'] } : service,
  );
  const cycle = 'the policies that sign calls to service http://127.0.0.1:4011 call it themselves';
  assert.is(checkProgram({ ...program, services }), cycle);
  const [longer] = [
    {
      ...program,
      services: services.map((service) => (service.implicit === true ? { ...service, policies: ['other'] } : service)),
      policies: [...program.policies, { ...program.policies[1]!, name: 'other', calls: ['auth'] }],
    },
  ];
  assert.is(checkProgram(longer), 'the policies that sign calls to service auth call it themselves');
  // The member of a policy calls in its place.
  const at = program.policies.length;
  const composed = {
    ...program,
    services: services.map((service) =>
      service.implicit === true ? { ...service, policies: ['composing'] } : service,
    ),
    policies: [
      ...program.policies,
      { ...program.policies[1]!, name: 'member', calls: ['http://127.0.0.1:4011'] },
      { ...program.policies[1]!, name: 'composing', calls: [], members: [at] },
    ],
  };
  assert.is(checkProgram(composed), cycle);
  const lost = { ...program, services: program.services.map((service) => ({ ...service, policies: ['none'] })) };
  assert.is(checkProgram(lost), 'calls to service orders are signed by a policy that does not exist');
});

test('a field that the caller sends and a policy of the service sets is an error at the caller', () => {
  const codesOf = (policy: string, sign: string): string[] => {
    const auth = '[service.auth]\ntargets = ["http://127.0.0.1:4010"]\npolicies = ["sign"]';
    const text = SPEC(policy, `${auth}\n[policy.sign]\nuse = "upstream-auth"\n${sign}`);
    return checkSpec({ path: 'gateway.toml', text }).diagnostics.map(({ code }) => code);
  };
  const basic = 'basic = { username = "gw", password = "${env:S}" }';
  const introspect =
    '{ use = "introspect", service = "auth", client_id = "gw", client_secret = "${env:S}", audience = "a"';
  assert.equal(codesOf('{ use = "forward-auth", service = "auth" }', basic), ['service/call-field']);
  assert.equal(codesOf('{ use = "forward-auth", service = "auth", send = ["cookie"] }', basic), []);
  assert.equal(codesOf(`${introspect} }`, basic), ['service/call-field']);
  assert.equal(codesOf(`${introspect}, client_auth = "client_secret_post" }`, basic), []);
  const forwarded = 'fields = { X-Forwarded-For = "gw", x-gateway = "${env:S}" }';
  assert.equal(codesOf('{ use = "forward-auth", service = "auth", send = ["cookie"] }', forwarded), [
    'service/call-field',
  ]);
  const authzen = '{ use = "authzen", service = "auth", headers = { X-Key = "${env:K}" } }';
  const key = 'fields = { x-key = "${env:S}" }';
  assert.ok(codesOf(authzen, key).includes('service/call-field'));
  assert.not.ok(codesOf(authzen, basic).includes('service/call-field'));
});

test('requests for tokens have fields of their own too', () => {
  const codesOf = (client: string, sign: string): string[] => {
    const idp = '[service.idp]\ntargets = ["http://127.0.0.1:4010"]\npolicies = ["sign"]';
    const token = `use = "upstream-auth"\noauth2 = { token_url = "https://idp/token", service = "idp", client_id = "gw", ${client} }`;
    const text = SPEC('"token"', `${idp}\n[policy.sign]\nuse = "upstream-auth"\n${sign}\n[policy.token]\n${token}`);
    return checkSpec({ path: 'gateway.toml', text }).diagnostics.map(({ code }) => code);
  };
  const basic = 'basic = { username = "gw", password = "${env:S}" }';
  assert.equal(codesOf('client_secret = "${env:S}"', basic), ['service/call-field']);
  assert.equal(codesOf('client_secret = "${env:S}", client_auth = "client_secret_post"', basic), []);
  assert.equal(codesOf('client_secret = "${env:S}"', 'fields = { x-key = "${env:S}" }'), []);
});

test('a service whose policy calls it, directly or by way of others, is an error', () => {
  const token = (name: string, service: string, more = ''): string =>
    `[policy.${name}]\nuse = "upstream-auth"\n${more}\noauth2 = { token_url = "https://idp/token", service = "${service}", client_id = "gw", client_secret = "\${env:S}", client_auth = "client_secret_post" }\n`;
  const service = (name: string, policy: string): string =>
    `[service.${name}]\ntargets = ["http://127.0.0.1:4010"]\npolicies = [${policy}]\n`;
  const found = (text: string): string[] =>
    checkSpec({ path: 'gateway.toml', text: SPEC('"a"', text) }).diagnostics.map(
      ({ code, entity, message }) => `${code} ${entity}: ${message}`,
    );
  const own = 'Calls to service `one` are signed by policy `a`, which calls `one`: it would wait for itself.';
  assert.equal(found(service('one', '"a"') + token('a', 'one')), [`service/call-cycle service.one: ${own}`]);
  assert.equal(found(service('one', '') + token('a', 'one')), []);
  // A policy with a condition signs no calls, and says so.
  const conditional = token('a', 'one', 'when = \'request.method == "POST"\'');
  assert.ok(found(service('one', '"a"') + conditional).every((text) => text.startsWith('service/unsigned-calls')));
  const both = service('one', '"b"') + service('two', '"a"') + token('a', 'one') + token('b', 'two');
  assert.equal(found(both), [
    'service/call-cycle service.one: Calls to service `one` are signed by policy `b`, which calls `two`, whose policies call `one`: it would wait for itself.',
    'service/call-cycle service.two: Calls to service `two` are signed by policy `a`, which calls `one`, whose policies call `two`: it would wait for itself.',
  ]);
});

test.run();
