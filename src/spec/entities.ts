/** Declarations of the spec's entities and settings: every key that does not belong to a policy. */
import { isIP } from 'node:net';
import type { RefString } from '../bundle/types.js';
import { messageOf } from '../reason.js';
import { type Infer, type Problem, quoted, s } from '../schema/declare.js';
import { splitWords } from '../schema/words.js';
import { listenerTls, serviceTls } from './tls.js';

export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

/** What is wrong with an address to listen on; undefined if it is valid. */
export function addressProblem(text: string): Problem | undefined {
  const found = /^(\[[^\]]*\]|[^:\s/]*):(\d{1,5})$/.exec(text);
  const message = `Expected an address such as \`"127.0.0.1:8080"\` or \`":8080"\`, found ${quoted(text)}.`;
  if (!found || Number(found[2]) > 65_535) {
    const port = /^\d{1,5}$/.test(text) && Number(text) <= 65_535;
    const help = port
      ? `Add a host: \`":${text}"\` binds all interfaces, \`"127.0.0.1:${text}"\` only this machine.`
      : 'Write `host:port` without a scheme; an IPv6 address needs brackets: `[::1]:8080`.';
    return { message, help };
  }
  const host = found[1] ?? '';
  const isV6 = host.startsWith('[');
  const right = isV6
    ? isIP(host.slice(1, -1)) === 6
    : /^[\d.]+$/.test(host)
      ? isIP(host) === 4
      : /^[\w.-]*$/.test(host);
  if (right) return undefined;
  const help =
    host === '*' ? `Leave the host empty for all interfaces: \`":${found[2]}"\`.` : `\`${host}\` is not a valid host.`;
  return { message, help };
}

// A new schema per use, because describe() sets its purpose.
const address = () =>
  s
    .reference('an address such as `"127.0.0.1:8080"`', addressProblem)
    .describe(
      '`host:port` to bind. An empty host binds all interfaces; with port 0 the system chooses the port.',
      '127.0.0.1:8080',
    );

/** What is wrong with a target URL; undefined if it is valid. */
export function urlProblem(text: string): Problem | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.username || url?.password) {
    return {
      message: 'A target URL cannot contain a user name or password: they would appear in logs and messages.',
      help: 'Send them in a header field: add a `headers` policy with `request.set = { authorization = "Basic ${env:NAME}" }`.',
      sensitive: true,
    };
  }
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    const message = `Expected a URL such as \`"http://127.0.0.1:4003"\`, found ${quoted(text)}.`;
    const bare = /^[\w.-]+(:\d{1,5})?(\/\S*)?$/.test(text) && URL.canParse(`http://${text}`);
    const help = bare ? `Add the scheme: \`"http://${text}"\`.` : 'Write `http://` or `https://`, then host and port.';
    return { message, help };
  }
  if (!url.search && !url.hash) return undefined;
  const message = `A target URL consists of scheme, host, port and optionally a base path; found ${quoted(text)}.`;
  return { message, help: 'Remove the query and fragment: requests have their own query.' };
}

const targetUrl = () => s.reference('a URL such as `"http://127.0.0.1:4003"`', urlProblem);

/** What is wrong with a host name without port; undefined if it is valid. */
function hostNameProblem(text: string): Problem | undefined {
  if (/^[\w-]+(\.[\w-]+)*\.?$/.test(text)) return undefined;
  const message = `Expected a host name such as \`"gw.internal"\`, found ${quoted(text)}.`;
  return { message, help: 'Write only the name, without scheme, port or wildcard.' };
}

/** What is wrong with an address or CIDR block; undefined if it is valid. */
export function blockProblem(text: string): string | undefined {
  const [host = '', bits, ...more] = text.split('/');
  const family = isIP(host);
  const most = family === 6 ? 128 : 32;
  const right =
    family !== 0 && more.length === 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most));
  return right ? undefined : `Expected an IP address or a CIDR block such as \`"10.0.0.0/8"\`, found ${quoted(text)}.`;
}

export const listener = s.object({
  address: address(),
  tls: listenerTls().describe('Serve HTTPS with this certificate.').optional(),
  max_header: s
    .size({ min: 1024, max: 16 * 1024 ** 2 })
    .describe('Maximum size of a request head.')
    .default(32 * 1024),
  max_headers: s.integer({ min: 1, max: 1000 }).describe('Maximum number of header fields in a request.').default(100),
  max_target: s
    .size({ min: 64, max: 16 * 1024 ** 2 })
    .describe('Maximum length of a request target (path and query as sent).')
    .default(16 * 1024),
  max_body: s
    .size()
    .describe('Maximum size of a request body.')
    .default(4 * 1024 ** 3),
  max_connections: s
    .integer({ min: 1 })
    .describe('Maximum number of open connections, over all workers; excess connections are refused.')
    .default(20_000),
  max_connections_per_address: s
    .integer({ min: 1 })
    .describe(
      'Maximum number of connections from one client address (IPv6: one /64). Does not apply to trusted proxies. Default: 1024, and no limit for addresses of this machine.',
    )
    .optional(),
  max_requests_per_connection: s
    .integer({ min: 1 })
    .describe('Number of requests after which a connection is closed.')
    .default(10_000),
  min_body_rate: s
    .size()
    .describe(
      'Minimum rate, in bytes per second, at which a client must send a request body and read a reply, after the first five seconds; `"0B"`: no minimum.',
    )
    .default(240),
  underscores: s
    .enum('refuse-aliases', 'refuse', 'drop', 'keep')
    .describe(
      'Header names with `_`, which many targets read as `-`. `refuse-aliases`: refuse the request if the name with `-` is a field that gw or a policy sets. `refuse`: refuse the request. `drop`: remove the fields. `keep`: forward them.',
    )
    .default('refuse-aliases'),
  header_timeout: s.duration({ min: 1 }).describe('Time limit for receiving a request head.').default(10_000),
  body_timeout: s
    .duration({ min: 1 })
    .describe('Maximum time without progress while a client sends a request body or reads a reply.')
    .default(30_000),
  idle_timeout: s.duration().describe('How long an idle keep-alive connection stays open.').default(75_000),
  trusted_proxies: s
    .array(s.string({ nonEmpty: true }).check('schema/format', blockProblem))
    .describe(
      'Addresses (CIDR) whose `X-Forwarded-*` fields are trusted and extended; from all other addresses they are replaced.',
      ['10.0.0.0/8'],
    )
    .default([]),
});

export interface TargetConfig {
  readonly url: RefString;
  readonly weight: number;
}

const target = s.either<TargetConfig>(
  { kinds: ['string'], schema: s.mapped(targetUrl(), (url): TargetConfig => ({ url, weight: 1 })) },
  {
    kinds: ['table'],
    schema: s.object({
      url: targetUrl().describe('Scheme, host, port and optionally a base path.'),
      weight: s
        .integer({ min: 1, max: 1000 })
        .describe('Share of the traffic, relative to the other targets.')
        .default(1),
    }),
  },
);

function commandProblem(command: string): string | undefined {
  try {
    splitWords(command);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

export const service = s.object({
  targets: s
    .array(target, { min: 1 })
    .describe('Origins of the service: URLs, or tables with a weight.', ['http://127.0.0.1:4003'])
    .optional(),
  run: s
    .object({
      command: s
        .string({ nonEmpty: true, expected: 'a command' })
        .check('schema/format', commandProblem)
        .describe('Command to start, split into words like in a shell.'),
      port_env: s
        .string({ pattern: /^[A-Za-z_][A-Za-z0-9_]*$/, expected: 'a variable name' })
        .describe('Environment variable with the port of the process.')
        .default('PORT'),
      cwd: s.string().describe('Working directory, relative to the folder of the spec.').optional(),
      env: s.map(s.reference('a string')).describe('Additional environment variables.').default({}),
      ready_timeout: s
        .duration({ min: 1 })
        .describe('Time limit for the process to accept connections on its port.')
        .default(15_000),
    })
    .describe('A managed target: gw starts the process on a free port, monitors it and stops it.')
    .optional(),
  tls: serviceTls()
    .describe('TLS towards `https` targets: a client certificate, and how targets are verified.')
    .optional(),
  connect_timeout: s.duration({ min: 1 }).describe('Time limit for connecting to a target.').default(2000),
  response_timeout: s
    .duration({ min: 1 })
    .describe('Maximum wait for the reply head of a target, and between parts of the body.')
    .default(30_000),
  idle_timeout: s.duration().describe('How long an idle connection to a target stays open.').default(60_000),
  tunnel_idle_timeout: s
    .duration()
    .describe(
      'Maximum time without data in both directions on an upgraded connection (WebSocket and others); `0s`: no limit.',
    )
    .default(3_600_000),
  retries: s
    .integer({ max: 10 })
    .describe('Number of further attempts if a target cannot be reached; only for requests that are safe to repeat.')
    .default(1),
  max_connections: s.integer({ min: 1 }).describe('Maximum number of connections to one target.').default(256),
  max_share_per_address: s
    .integer({ min: 1, max: 100 })
    .describe(
      'Maximum percentage of the connections to one target that requests from one client address (IPv6: one /64) may use; further requests wait.',
    )
    .default(80),
  max_queue: s
    .integer()
    .describe('Maximum number of requests that wait for a connection; excess requests get 503.')
    .default(20_000),
  pipelining: s
    .integer({ min: 1, max: 256 })
    .describe(
      'Maximum number of requests in flight on one connection to a target. Above 1, idempotent requests without a body share connections and are written together; every target must answer in order (RFC 9112 section 9.3.2).',
    )
    .default(1),
  eject_after: s
    .integer()
    .describe('Number of consecutive failures after which a target is ejected; 0: never.')
    .default(5),
  eject_for: s.duration().describe('How long a target stays ejected.').default(10_000),
  host: s
    .enum('preserve', 'target')
    .describe('Host field sent to the target: that of the client (`preserve`), or that of the target URL (`target`).')
    .default('preserve'),
  policies: s
    .array(s.string({ nonEmpty: true }))
    .describe(
      'Policies of every route that forwards to the service, and of the calls of policies to it, by name; only those that act on requests to targets, such as `upstream-auth`.',
      ['sign'],
    )
    .default([]),
});

type Rate = Infer<ReturnType<typeof s.rate>>;

/** One rate, or several. */
const rates = s.either<readonly Rate[]>(
  { kinds: ['string'], schema: s.mapped(s.rate(), (rate): readonly Rate[] => [rate]) },
  { kinds: ['array'], schema: s.array(s.rate(), { min: 1 }) },
);

export const plan = s.object({
  rate: rates
    .describe(
      'Requests per time window of each consumer: one rate, or several. Routes apply it by the policy `plan`.',
      ['10/s', '1000/h'],
    )
    .optional(),
  concurrency: s
    .integer({ min: 1 })
    .describe('Requests in progress at the same time of each consumer. Routes apply it by the policy `plan`.', 20)
    .optional(),
  routes: s
    .array(s.string({ nonEmpty: true }), { min: 1 })
    .describe(
      'Names of the routes that the plan includes, `*` for any text. On others, the policy `plan` answers 403. Default: every route, unless `route_tags` is set.',
      ['orders', 'reports-*'],
    )
    .optional(),
  route_tags: s
    .array(s.string({ nonEmpty: true }), { min: 1 })
    .describe('Tags of further routes that the plan includes.', ['partner'])
    .optional(),
  limits: s
    .map(s.rate())
    .describe('Limit for consumers with this plan, by the name of a `rate-limit` policy.')
    .default({}),
});

export const normalize = s.object({
  encoded_slashes: s
    .enum('refuse', 'keep')
    .describe('`%2F` in a path: refuse the request, or keep it as part of its segment.')
    .default('refuse'),
  double_slashes: s.enum('merge', 'refuse', 'keep').describe('`//` in a path.').default('merge'),
  trailing_slash: s
    .enum('strict', 'ignore')
    .describe('Whether `/orders/` and `/orders` are different paths (`strict`) or the same (`ignore`).')
    .default('strict'),
  dot_segments: s
    .enum('resolve', 'refuse')
    .describe('`.` and `..` in a path, including percent-encoded ones.')
    .default('resolve'),
});

export const admin = s.object({
  address: address().describe('TCP address of the admin API, in addition to the unix socket.').optional(),
  token: s
    .reference('a reference such as `"${env:GW_ADMIN_TOKEN}"`')
    .describe('Bearer token required from TCP clients.')
    .optional(),
  hosts: s
    .array(s.string({ nonEmpty: true }).check('schema/format', hostNameProblem))
    .describe(
      'Host names accepted in the Host field of TCP calls, in addition to IP addresses, `localhost` and the host of `address`.',
      ['gw.internal'],
    )
    .default([]),
});

export const accessLog = s.object({
  path: s.string({ nonEmpty: true }).describe('A file, or `-` for standard output.').optional(),
  format: s.enum('json', 'pretty').describe('JSON lines, or readable text lines.').default('json'),
});

/** Failed attempts of one client address, for `failures = true`. */
const FAILURES = { capacity: 60, periodMs: 60_000 };

export const authentication = s.object({
  failures: s
    .either<typeof FAILURES | false>(
      { kinds: ['boolean'], schema: s.mapped(s.boolean(), (limited): typeof FAILURES | false => limited && FAILURES) },
      { kinds: ['string'], schema: s.rate() },
    )
    .describe(
      'Rate of failed attempts to authenticate from one client address (IPv6: one /64), over all policies. Above it, wrong credentials get 429; valid ones always pass. `false`: no limit. Default: `60/min`, and no limit for addresses of this machine.',
      '60/min',
    )
    .optional(),
});

export const overload = s.object({
  shed_above: s
    .integer({ min: 0, max: 100 })
    .describe('Percentage of the memory limit of a worker above which new connections get 503; 0: never.')
    .default(85),
  shrink_above: s
    .integer({ min: 0, max: 100 })
    .describe('Percentage above which idle connections to clients and targets are also closed; 0: never.')
    .default(92),
});

export const lintSettings = s.object({
  allow: s
    .array(
      s.object({
        code: s.string({ nonEmpty: true }).describe('Code of a warning.', `route/unauthenticated`),
        reason: s
          .string({ nonEmpty: true })
          .describe('Why the warning does not apply.', 'the load balancer has no key'),
        at: s
          .string({ nonEmpty: true })
          .describe('Entity for which the warning is allowed, e.g. `route.health`. Default: everywhere.')
          .optional(),
      }),
    )
    .describe('Warnings to silence. Errors cannot be silenced.', [
      { code: `route/unauthenticated`, at: 'route.health', reason: 'the load balancer has no key' },
    ])
    .default([]),
});

/** Single settings at the top level of a spec. */
export const topLevel = {
  spec: s.integer({ min: 1, max: 1 }).describe('Version of the spec format: 1.'),
  drain_timeout: s.duration().describe('How long a stop or reload waits for requests in flight.').default(30_000),
  drain_delay: s
    .duration()
    .describe(
      'How long gw keeps accepting requests after SIGTERM while `/readyz` already fails, so that a load balancer notices.',
    )
    .default(0),
  workers: s
    .integer({ min: 1, max: 64 })
    .describe(
      'Number of worker threads for requests. More than one requires Node 22.12 or later; older versions use one.',
    )
    .default(1),
};

export type ListenerConfig = Infer<typeof listener>;
export type ServiceConfig = Infer<typeof service>;
export type PlanConfig = Infer<typeof plan>;
export type NormalizeConfig = Infer<typeof normalize>;
export type AdminConfig = Infer<typeof admin>;
export type AccessLogConfig = Infer<typeof accessLog>;
export type AuthenticationConfig = Infer<typeof authentication>;
export type OverloadConfig = Infer<typeof overload>;
export type LintConfig = Infer<typeof lintSettings>;
