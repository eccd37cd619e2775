/** Random specs over a small vocabulary, so that routes overlap in every possible way. */
import { checkSpec } from '../../src/lint/index.js';
import type { Model } from '../../src/spec/model.js';
import { CONSUMERS } from './identities.js';
import type { Random } from './random.js';

export const WORDS = ['orders', 'items', 'v1', 'a', 'b', 'long-word', 'search'];
export const HOSTS = ['api.example.com', 'shop.example.com', 'example.com', 'deep.api.example.com'];
export const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH'];
const TYPES = ['int', 'uuid', '[a-z]+', '[a-z0-9-]{1,8}', '(x|y)[0-9]*'];
const HOST_PATTERNS = [...HOSTS.slice(0, 3), '*.example.com', '*.api.example.com'];
export const HEADER_NAMES = ['x-beta', 'x-tenant'];
export const QUERY_NAMES = ['page', 'q'];
const CONDITIONS = [
  '"1"',
  'true',
  'false',
  '{ one_of = ["1", "2"] }',
  '{ prefix = "ab" }',
  '{ matches = "[0-9]+" }',
  '{ equals = "ab" }',
  '"é"',
  '{ matches = "[a-zé-ü]+" }',
  '{ prefix = "日" }',
];
const POLICY_NAMES = [
  'keys',
  'open-keys',
  'query-keys',
  'by-ip',
  'by-consumer',
  'by-route',
  'by-header',
  'browsers',
  'others',
  'tokens',
  'people',
  'any',
  'plan',
];
/** They refuse many requests. */
const GUARDS = ['access', 'scanners', 'own-pages'];
/** They act on replies. */
const REPLY_POLICIES = ['pages', 'coded', 'errors', 'protected'];

const DEFAULT_POLICIES = ['open-keys', 'by-header', 'browsers', 'pages'];
/** Conditions that need nothing but the request; the last ones fail for some requests. */
const ON_REQUEST = [
  'request.method == "GET"',
  '!(request.method in ["POST", "PUT"])',
  '"x-beta" in request.headers',
  'request.headers["x-tenant"] in ["1", "ab"]',
  'has(request.query.page) || request.query["q"] == "2"',
  'request.path.matches("[0-9]+$")',
  'request.path.size() > 12 && request.host.endsWith(".example.com")',
  'client.ip == "9.9.9.9" || client.ip.startsWith("127.")',
  'request.path.split("/").exists(part, part.startsWith("a"))',
  'route.name.contains("1") ? request.scheme == "http" : request.headers.origin == ""',
  '!has(client.tls.version) && request.headers["x-tenant"].lowerAscii() != "x"',
  '!has(request.query.page) || int(request.query.page) > 1',
  'request.path.split("/")[2] == "items"',
];
const ON_CONSUMER = [
  'consumer.name == "acme"',
  'consumer.plan == "gold" || consumer.tags.region == "us"',
  'has(consumer.name)',
];
const ON_REPLY = [
  'reply.status >= 400',
  'reply.status in [200, 404] && request.method != "DELETE"',
  'reply.headers["content-type"].contains("json")',
  'reply.headers.etag == "" || reply.status == 304',
  'consumer.name == "" && reply.status < 500',
];

/** Most routes are served everywhere. */
const LISTENERS = ['', '', '', '', '"main"', '"internal"', '"main", "internal"'];

export interface RandomSpec {
  readonly text: string;
  readonly model: Model;
}

/** A spec without errors: routes that the checks refuse (ambiguous, duplicate) are removed. */
export function randomSpec(random: Random, targets: readonly string[], path: string): RandomSpec {
  let routes = Array.from({ length: 8 + random.index(32) }, (_, index) => randomRoute(random, index));
  const head = settings(random) + services(random, targets) + policies(random);
  for (let attempt = 0; attempt < 12; attempt++) {
    const text = head + routes.map(({ lines }) => lines).join('');
    const { value: model, diagnostics } = checkSpec({ path, text });
    const errors = diagnostics.filter(({ severity }) => severity === 'error');
    if (model && errors.length === 0) return { text, model };
    const wrong = new Set(errors.map(({ span }) => routeAt(text, span.start.offset)));
    if (wrong.has(undefined)) throw new Error(`The generator wrote an invalid spec: ${errors[0]?.message}\n${text}`);
    routes = routes.filter(({ name }) => !wrong.has(name));
  }
  throw new Error('The generator found no spec without errors.');
}

/** Name of the route whose block or group contains the offset. */
function routeAt(text: string, offset: number): string | undefined {
  const names = [...text.matchAll(/^# route (\S+)$/gm)].filter((found) => found.index <= offset);
  return names.at(-1)?.[1];
}

function settings(random: Random): string {
  return `spec = 1
[listener.internal]
address = "127.0.0.2:0"
[defaults.listener]
max_headers = ${random.pick([50, 100])}
[defaults.service]
host = "${random.pick(['preserve', 'target'])}"
${random.chance(0.4) ? `[defaults]\npolicies = ["${random.pick(DEFAULT_POLICIES)}"]\n` : ''}[listener.main]
address = "127.0.0.1:0"
${random.chance(0.5) ? 'trusted_proxies = ["127.0.0.1", "10.0.0.0/8"]' : ''}
[normalize]
encoded_slashes = "${random.pick(['refuse', 'keep'])}"
double_slashes = "${random.pick(['merge', 'refuse', 'keep'])}"
trailing_slash = "${random.pick(['strict', 'ignore'])}"
dot_segments = "${random.pick(['resolve', 'refuse'])}"
`;
}

function services(random: Random, targets: readonly string[]): string {
  const weighted = targets.map((url) => `{ url = "${url}", weight = ${1 + random.index(3)} }`).join(', ');
  return `[service.one]
targets = ["${targets[0]}"]
[service.many]
targets = [${weighted}]
host = "${random.pick(['preserve', 'target'])}"
`;
}

/** Sometimes a condition. */
const when = (random: Random, ...lists: readonly (readonly string[])[]): string =>
  random.chance(0.4) ? `when = '${random.pick(lists.flat())}'\n` : '';

function policies(random: Random): string {
  return `${CONSUMERS}[plan.gold]
limits = { by-consumer = "9/min" }
rate = ["8/min", "300/h"]
concurrency = 100
${random.chance(0.3) ? 'routes = ["r1*", "r2*"]\n' : ''}[plan.free]
rate = "4/min"
[policy.plan]
use = "plan"
${random.chance(0.6) ? 'default = "free"\n' : ''}[policy.tokens]
use = "jwt"
secret = "\${env:TOKEN_SECRET}"
issuer = "id"
optional = ${random.chance(0.4)}
forward = ${random.chance(0.5)}
${random.chance(0.5) ? 'consumer_claim = "sub"\n' : ''}${random.chance(0.3) ? 'scope = "read"\n' : ''}${when(random, ON_REQUEST)}[policy.people]
use = "basic"
${when(random, ON_REQUEST)}[policy.some-key]
use = "api-key"
[policy.some-token]
use = "jwt"
secret = "\${env:TOKEN_SECRET}"
consumer_claim = "sub"
[policy.some-person]
use = "basic"
[policy.any]
use = "any-of"
policies = ["some-key", "some-token", "some-person"]
${random.chance(0.3) ? 'anonymous = "beta"\n' : ''}[policy.keys]
use = "api-key"
${when(random, ON_REQUEST)}[policy.open-keys]
use = "api-key"
header = "authorization"
scheme = "Bearer"
optional = true
[policy.query-keys]
use = "api-key"
query = "key"
${when(random, ON_REQUEST)}[policy.by-ip]
use = "rate-limit"
limit = "40/min"
by = "ip"
${when(random, ON_REQUEST, ON_CONSUMER)}[policy.by-consumer]
use = "rate-limit"
limit = "5/min"
by = "consumer"
[policy.by-route]
use = "rate-limit"
limit = "20/min"
burst = 7
by = "route"
${when(random, ON_REQUEST, ON_CONSUMER)}[policy.by-header]
use = "rate-limit"
limit = "10/min"
cost = 2
by = "header:x-tenant"
[policy.access]
use = "allow"
${random.chance(0.3) ? 'deny = [{ addresses = ["9.9.9.0/24"] }, { name = "beta", when = \'"x-beta" in request.headers\' }]\n' : ''}[[policy.access.rules]]
name = "acme"
consumers = ["acme"]
[[policy.access.rules]]
methods = ${JSON.stringify(['GET', ...random.some(METHODS, 2)])}
when = '${random.pick([...ON_REQUEST, ...ON_CONSUMER])}'
[[policy.access.rules]]
addresses = ["127.0.0.0/8", "2001:db8::/32"]
[policy.scanners]
use = "block"
addresses = ["9.9.9.9"]
referers = ["example.com"]
observe = ${random.chance(0.5)}
${when(random, ON_REQUEST)}[policy.own-pages]
use = "csrf"
trusted_origins = ["https://app.example.com"]
${when(random, ON_REQUEST)}[policy.protected]
use = "security-headers"
preset = "${random.pick(['api', 'web'])}"
replace = ${random.chance(0.5)}
${when(random, ON_REQUEST, ON_REPLY)}[policy.browsers]
use = "cors"
origins = ["https://app.example.com"]
headers = ["x-beta"]
[policy.others]
use = "cors"
origins = ["https://*.example.com"]
headers = ["*"]
[policy.pages]
use = "error-page"
from = "${random.pick(['gateway', 'target', 'all'])}"
html = "<h1>{reply.status} {reply.reason}</h1><p>{reply.code} {request.path}"
${random.chance(0.5) ? `json = '{"status": {reply.status}, "path": "{request.path}"}'\n` : ''}${random.chance(0.3) ? 'keep = ["retry-after"]\n' : ''}${when(random, ON_REQUEST, ON_REPLY)}[policy.coded]
use = "compress"
codings = ["br", "gzip"]
min_size = "20B"
${when(random, ON_REQUEST)}[policy.errors]
use = "headers"
reply.set = { x-failed = "{reply.status} {reply.code}" }
reply.remove = ["etag"]
${when(random, ON_REPLY)}`;
}

interface RandomRoute {
  readonly name: string;
  readonly lines: string;
}

function randomRoute(random: Random, index: number): RandomRoute {
  const name = `r${index}`;
  const inGroup = random.chance(0.3);
  const params: string[] = [];
  const path = randomPath(random, params);
  const lines = [`# route ${name}`];
  if (inGroup) {
    const policies = random.some(POLICY_NAMES, 2);
    lines.push('[[group]]', `name = "g${index}"`);
    if (random.chance(0.5)) lines.push(`prefix = "/${random.pick(WORDS)}"`);
    if (random.chance(0.3)) lines.push(`host = ${randomHosts(random)}`);
    if (policies.length > 0) lines.push(`policies = ${JSON.stringify(policies)}`);
    if (random.chance(0.3)) lines.push(...reachLines(random));
    lines.push('[[group.route]]');
  } else {
    lines.push('[[route]]');
  }
  lines.push(
    `name = "${name}"`,
    ...reachLines(random),
    ...matchLines(random, path),
    ...leadLines(random, path, params),
  );
  return { name, lines: `${lines.join('\n')}\n` };
}

function randomHosts(random: Random): string {
  if (random.chance(0.6)) return `"${random.pick(HOST_PATTERNS)}"`;
  return JSON.stringify([random.pick(HOST_PATTERNS), ...random.some(HOST_PATTERNS, 2)]);
}

function reachLines(random: Random): string[] {
  const listeners = random.pick(LISTENERS);
  const lines = listeners === '' ? [] : [`listeners = [${listeners}]`];
  if (random.chance(0.2)) lines.push(`without = ["${random.pick(DEFAULT_POLICIES)}"]`);
  return lines;
}

function randomPath(random: Random, params: string[]): string {
  const depth = random.index(4);
  let path = '';
  for (let level = 0; level <= depth; level++) {
    const name = `p${params.length}`;
    const kind = random.index(10);
    if (kind < 5) path += `/${random.pick(WORDS)}`;
    else if (kind < 7) {
      path += `/{${name}:${random.pick(TYPES)}}`;
      params.push(name);
    } else if (kind < 9) {
      path += `/{${name}}`;
      params.push(name);
    } else {
      params.push('rest');
      return `${path}/{rest...}`;
    }
  }
  return random.chance(0.1) ? `${path}/` : path;
}

function matchLines(random: Random, path: string): string[] {
  const methods = random.some(METHODS, 3);
  const headers = random.chance(0.25) ? conditions(random, HEADER_NAMES) : '';
  const query = random.chance(0.25) ? conditions(random, QUERY_NAMES) : '';
  const host = random.chance(0.3) ? randomHosts(random) : '';
  const scheme = random.chance(0.1) ? random.pick(['http', 'https']) : '';
  if (headers === '' && query === '' && host === '' && scheme === '') {
    return [`match = ${JSON.stringify(`${methods.join(',')}${methods.length > 0 ? ' ' : ''}${path}`)}`];
  }
  const parts = [`path = ${JSON.stringify(path)}`, `methods = ${JSON.stringify(methods)}`];
  if (host !== '') parts.push(`host = ${host}`);
  if (headers !== '') parts.push(`headers = { ${headers} }`);
  if (query !== '') parts.push(`query = { ${query} }`);
  if (scheme !== '') parts.push(`scheme = "${scheme}"`);
  return [`match = { ${parts.join(', ')} }`];
}

function conditions(random: Random, names: readonly string[]): string {
  return random
    .some(names, 2)
    .map((name) => `${name} = ${random.pick(CONDITIONS)}`)
    .join(', ');
}

function leadLines(random: Random, path: string, params: readonly string[]): string[] {
  const marks = ['x-route = "{route.name}"', 'x-consumer = "{consumer.name}/{consumer.plan}/{consumer.tags.region}"'];
  for (const name of params) marks.push(`x-p-${name} = "{param.${name}}"`);
  const edit = `{ use = "headers", request.set = { ${marks.join(', ')} }, reply.set = { x-seen = "{route.name}" }${random.chance(0.2) ? `, when = '${random.pick([...ON_REQUEST, ...ON_CONSUMER])}'` : ''} }`;
  const guards = random.chance(0.25) ? [random.pick(GUARDS)] : [];
  const named = [...guards, ...random.some(POLICY_NAMES, 3), ...random.some(REPLY_POLICIES, 3)];
  const policies = [...named.map((name) => `"${name}"`), edit];
  const lines = [`policies = [${policies.join(', ')}]`];
  if (random.chance(0.2)) {
    const status = random.pick([200, 204, 304, 404, 503]);
    const body = status !== 204 && status !== 304 && random.chance(0.5) ? 'own' : '';
    // Without a policy the reply is precomputed by the compiler.
    const bare = random.chance(0.3) ? [] : lines;
    return [...bare, `reply = { status = ${status}, headers = { etag = '"1"' }, body = "${body}" }`];
  }
  lines.push(`to = "${random.pick(['one', 'many'])}"`);
  if (random.chance(0.1)) lines.push('max_body = "100B"');
  const prefix = /^\/([a-z0-9-]+)\//.exec(path)?.[1];
  if (random.chance(0.15))
    lines.push(
      `rewrite = "/new/${params.map((name) => `{param.${name}}`).join('/')}${rewrittenQuery(random, params)}"`,
    );
  else if (prefix !== undefined && random.chance(0.2)) lines.push(`strip_prefix = "/${prefix}"`);
  return lines;
}

function rewrittenQuery(random: Random, params: readonly string[]): string {
  if (random.chance(0.4)) return '';
  const pairs = params.map((name) => `${random.pick(['q', 'page', name])}={${name}}`);
  if (random.chance(0.3)) pairs.push('name={request.header.x-name}');
  if (random.chance(0.3)) pairs.push('{request.query}', 'from={request.path}');
  return `?${pairs.join('&')}`;
}
