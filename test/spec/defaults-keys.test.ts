/** Every key of `[defaults.service]` and `[defaults.listener]` reaches every entity that does not set it itself. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/compiler/index.js';
import { EitherSchema, type Fields, ObjectSchema, type Schema } from '../../src/schema/declare.js';
import { unwrapped } from '../../src/schema/schema.js';
import { listenerDefaults, serviceDefaults } from '../../src/spec/defaults-section.js';
import { codesOf, HEAD, load, modelOf } from './helper.js';

/** `plain` sets no key; the others have each table themselves, in its long or short form, with one key. */
const SPEC = `spec = 1
[acme]
accept_terms = true
hosts = ["a.example"]
[listener.plain]
address = "127.0.0.1:8080"
[listener.secure]
address = "127.0.0.1:8443"
tls = { cert = "own.pem", key = "own.key" }
[listener.acme]
address = "127.0.0.1:8444"
tls = "acme"
[service.plain]
targets = ["https://127.0.0.1:4003"]
[service.tables]
targets = ["https://127.0.0.1:4004"]
balance.hash = "address"
breaker.probes = 9
health.unhealthy_after = 9
retry = { budget = 30, hedge = "p90" }
sticky.key = "\${env:OWN}"
tls.server_name = "own.example"
[policy.sign]
use = "upstream-auth"
fields = { x-key = "\${env:TOKEN}" }
[[route]]
name = "plain"
match = "/plain"
to = "plain"
[[route]]
name = "tables"
match = "/tables"
to = "tables"
`;

/** A value that differs from the default of each key, and the keys without which it is refused or of no use. */
const SERVICE: Readonly<Record<string, readonly [value: string, beside?: string]>> = {
  'balance.hash': ['"consumer"'],
  'balance.max_load': ['150', 'balance.hash = "consumer"'],
  'sticky.key': ['"${env:KEY}"'],
  'sticky.cookie': ['"c"', 'sticky.key = "${env:KEY}"'],
  'sticky.max_age': ['"1h"', 'sticky.key = "${env:KEY}"'],
  'sticky.path': ['"/p"', 'sticky.key = "${env:KEY}"'],
  'sticky.domain': ['"a.example"', 'sticky.key = "${env:KEY}"'],
  'sticky.same_site': ['"strict"', 'sticky.key = "${env:KEY}"'],
  'sticky.secure': ['true', 'sticky.key = "${env:KEY}"'],
  slow_start: ['"9s"'],
  'tls.cert': ['"c.pem"\ntls.key = "c.key"'],
  'tls.key': ['"c.key"\ntls.cert = "c.pem"'],
  'tls.ca': ['"ca.pem"'],
  'tls.server_name': ['"all.example"'],
  'tls.min_version': ['"1.3"'],
  'tls.verify': ['false'],
  protocol: ['"h2"'],
  max_streams: ['7', 'protocol = "h2"'],
  connect_timeout: ['"9s"'],
  response_timeout: ['"9s"'],
  idle_timeout: ['"9s"'],
  refresh: ['"9s"'],
  max_connection_age: ['"9s"'],
  tunnel_idle_timeout: ['"9s"'],
  retries: ['7'],
  'retry.attempts': ['7'],
  'retry.on': ['["connect"]'],
  'retry.attempt_timeout': ['"9s"'],
  'retry.statuses': ['[503]'],
  'retry.grpc': ['["unavailable"]', 'retry.methods = ["POST"]'],
  'retry.methods': ['["POST"]'],
  'retry.max_body': ['"9KiB"'],
  'retry.backoff': ['"9ms"'],
  'retry.backoff_max': ['"9s"'],
  'retry.budget': ['9'],
  'retry.budget_min': ['9'],
  'retry.hedge.after': ['"p95"'],
  'retry.hedge.min': ['"99ms"', 'retry.hedge.after = "p95"'],
  'retry.hedge.attempts': ['2', 'retry.hedge.after = "p95"'],
  'retry.retry_after_max': ['"9s"'],
  'health.type': ['"tcp"'],
  'health.path': ['"/up"'],
  'health.method': ['"HEAD"'],
  'health.host': ['"h.example"'],
  'health.statuses': ['[204]'],
  'health.body': ['"ok"'],
  'health.grpc_service': ['"a.B"', 'health.type = "grpc"\nprotocol = "h2"'],
  'health.port': ['9'],
  'health.interval': ['"9s"'],
  'health.timeout': ['"1s"'],
  'health.jitter': ['9'],
  'health.healthy_after': ['9'],
  'health.unhealthy_after': ['8'],
  'health.before_first_check': ['"unavailable"'],
  'breaker.errors': ['9'],
  'breaker.requests': ['9'],
  'breaker.consecutive': ['9'],
  'breaker.window': ['"9s"'],
  'breaker.open_for': ['"9s"'],
  'breaker.probes': ['8'],
  on_client_close: ['"cancel"'],
  max_requests: ['9'],
  max_connections: ['9'],
  max_share_per_address: ['9'],
  wait_for_targets: ['"9s"'],
  requests_per_target: ['9'],
  max_queue: ['9'],
  proxy_protocol: ['"v2"'],
  pipelining: ['9'],
  eject_after: ['9'],
  eject_for: ['"9s"'],
  eject_for_max: ['"9s"'],
  eject_after_5xx: ['9'],
  eject_slow: ['9'],
  eject_share: ['9'],
  panic_below: ['9'],
  host: ['"target"'],
  policies: ['["sign"]'],
};

const LISTENER: typeof SERVICE = {
  socket_mode: ['"0666"'],
  'tls.acme': ['true'],
  'tls.cert': ['"c.pem"\ntls.key = "c.key"'],
  'tls.key': ['"c.key"\ntls.cert = "c.pem"'],
  'tls.ciphers': ['"ECDHE-RSA-AES256-GCM-SHA384"'],
  'tls.client_ca': ['"ca.pem"'],
  'tls.client_crl': ['"crl.pem"', 'tls.client_ca = "ca.pem"'],
  'tls.forward_client_cert': ['true', 'tls.client_ca = "ca.pem"'],
  'tls.min_version': ['"1.3"'],
  'tls.client_certificate': ['"optional"', 'tls.client_ca = "ca.pem"'],
  'tls.hosts': ['[{ cert = "h.pem", key = "h.key" }]'],
  redirect: ['"https"'],
  protocols: ['["http/1.1"]'],
  force_http2: ['true'],
  max_header: ['"9KiB"'],
  max_headers: ['9'],
  max_target: ['"9KiB"'],
  max_body: ['"9KiB"'],
  max_connections: ['9'],
  max_connections_per_address: ['9'],
  max_requests_per_connection: ['9'],
  max_streams: ['9'],
  min_body_rate: ['"9B"'],
  underscores: ['"drop"'],
  header_timeout: ['"9s"'],
  body_timeout: ['"9s"'],
  idle_timeout: ['"9s"'],
  proxy_protocol: ['true', 'trusted_proxies = ["10.0.0.0/8"]'],
  trusted_proxies: ['["10.0.0.0/8"]'],
};

/** Paths of the values of a table. Items of an array belong to its value. */
function pathsOf(schema: Schema<unknown>, path = ''): string[] {
  const core = unwrapped(schema);
  if (core instanceof EitherSchema) {
    const all = core.forms.flatMap(({ schema: form }: { schema: Schema<unknown> }) => pathsOf(form, path));
    const tables = all.filter((each) => each !== path);
    return tables.length > 0 ? tables : [path];
  }
  if (!(core instanceof ObjectSchema)) return [path];
  return Object.entries(core.fields as Fields).flatMap(([key, field]) =>
    pathsOf(field, path === '' ? key : `${path}.${key}`),
  );
}

test('the tables above have every key of the defaults', () => {
  assert.equal(Object.keys(SERVICE).sort(), pathsOf(serviceDefaults).sort());
  assert.equal(Object.keys(LISTENER).sort(), pathsOf(listenerDefaults).sort());
});

type Entities = ReadonlyMap<string, string>;

function compiled(section: 'service' | 'listener', lines: string): Entities {
  const { program } = compile(modelOf(load(`${SPEC}[defaults.${section}]\n${lines}\n`))).bundle;
  const entities = section === 'service' ? program.services : program.listeners;
  // Policies of a service are in the program those of its routes.
  const policiesOf = (name: string) => program.routes.find((route) => route.name === name)?.policies;
  return new Map(entities.map((entity) => [entity.name, JSON.stringify([entity, policiesOf(entity.name)])]));
}

/** Names of the entities whose entry in the program is another with the key than without. */
function reached(section: 'service' | 'listener', key: string, [value, beside = '']: readonly [string, string?]) {
  const before = compiled(section, beside);
  const after = compiled(section, `${beside}\n${key} = ${value}`);
  return [...after].flatMap(([name, entry]) => (before.get(name) === entry ? [] : name)).sort();
}

/** Keys that the service `tables` sets itself. */
const OWN = ['balance.hash', 'sticky.key', 'retry.budget', 'retry.hedge.after', 'tls.server_name'];
OWN.push('health.unhealthy_after', 'breaker.probes');

for (const [key, sample] of Object.entries(SERVICE))
  test(`[defaults.service] ${key} reaches every service`, () => {
    assert.equal(reached('service', key, sample), OWN.includes(key) ? ['plain'] : ['plain', 'tables']);
  });

/** What makes no listener one with TLS reaches those that are, in either form. */
const REACHED: Readonly<Record<string, readonly string[]>> = {
  'tls.acme': ['plain'],
  'tls.cert': ['plain'],
  'tls.key': ['plain'],
  'tls.ciphers': ['acme', 'secure'],
  'tls.client_ca': ['acme', 'secure'],
  'tls.client_certificate': ['acme', 'secure'],
  'tls.client_crl': ['acme', 'secure'],
  'tls.forward_client_cert': ['acme', 'secure'],
  'tls.min_version': ['acme', 'secure'],
};

for (const [key, sample] of Object.entries(LISTENER).filter(([name]) => name !== 'redirect'))
  test(`[defaults.listener] ${key} reaches every listener`, () => {
    assert.equal(reached('listener', key, sample), REACHED[key] ?? ['acme', 'plain', 'secure']);
  });

test('[defaults.listener] redirect is refused beside listeners with TLS, and reaches the others', () => {
  const refused = load(`${SPEC}[defaults.listener]\nredirect = "https"\n`);
  assert.equal(codesOf(refused), ['schema/value', 'schema/value']);
  const plain = HEAD.replace('[policy', '[defaults.listener]\nredirect = "https"\n[policy');
  assert.is(modelOf(load(plain)).listeners[0]?.config.redirect, 443);
});

test('tls of [defaults.service] without cert and key was dropped for services without their own tls', () => {
  const [plain] = modelOf(load(`${SPEC}[defaults.service.tls]\nca = "ca.pem"\nmin_version = "1.3"\n`)).services;
  assert.equal(plain?.config.tls?.ca, ['ca.pem']);
  assert.is(plain?.config.tls?.min_version, '1.3');
  assert.ok(codesOf(load(`${SPEC}[defaults.service.tls]\ncert = "c.pem"\n`)).includes('schema/value'));
});

test('a default hedge beside the short form of a service, and acme beside the tls of a listener', () => {
  const model = modelOf(
    load(`${SPEC}[defaults]
service.retry.hedge = "p50"
listener.tls = "acme"
[listener.floor]
address = "127.0.0.1:8445"
tls.min_version = "1.3"
[service.twice]
targets = ["http://127.0.0.1:4005"]
retry.hedge.attempts = 2
`),
  );
  assert.equal(
    model.listeners.map(({ name, config: { tls } }) => [name, tls?.acme, tls?.min_version, tls?.cert]),
    [
      ['plain', true, '1.2', undefined],
      ['secure', false, '1.2', 'own.pem'],
      ['acme', true, '1.2', undefined],
      ['floor', true, '1.3', undefined],
    ],
  );
  const hedges = model.services.map(({ name, config }) => [name, config.retry?.hedge?.percentile]);
  assert.equal(hedges, [
    ['plain', 50],
    ['tables', 90],
    ['twice', 50],
  ]);
});

test.run();
