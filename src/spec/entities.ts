/** The spec's entities: the one declaration of every key that is not a policy's own. */

import { isIP } from 'node:net';
import type { RefString } from '../bundle/types.js';
import { messageOf } from '../reason.js';
import { type Infer, type Problem, quoted, s } from '../schema/declare.js';
import { splitWords } from '../schema/words.js';
import { listenerTls } from './tls.js';

export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

/** `host:port` in parts, or what is wrong with it. */
/** What is wrong with an address to listen on; undefined when nothing is. */
export function addressProblem(text: string): Problem | undefined {
  const found = /^(\[[^\]]*\]|[^:\s/]*):(\d{1,5})$/.exec(text);
  const message = `Expected an address such as \`"127.0.0.1:8080"\` or \`":8080"\`, found ${quoted(text)}.`;
  if (!found || Number(found[2]) > 65_535) {
    const port = /^\d{1,5}$/.test(text) && Number(text) <= 65_535;
    const help = port
      ? `A port alone says too little: \`":${text}"\` binds all interfaces, \`"127.0.0.1:${text}"\` this machine alone.`
      : 'An address is `host:port`, without a scheme; an IPv6 address stands in brackets, `[::1]:8080`.';
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
    host === '*' ? `Leave the host empty for all interfaces: \`":${found[2]}"\`.` : `\`${host}\` is no host.`;
  return { message, help };
}

// Fresh for each use: describe() names a schema's own purpose.
const address = () =>
  s
    .reference('an address such as `"127.0.0.1:8080"`', addressProblem)
    .describe(
      '`host:port` to bind. An empty host binds all interfaces; port 0 lets the system choose.',
      '127.0.0.1:8080',
    );

/** What is wrong with a target's URL; undefined when nothing is. */
export function urlProblem(text: string): Problem | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.username || url?.password) {
    return {
      message: 'A target URL holds no user name and no password: they would stand in logs and messages.',
      help: 'Send them as a header, by a policy `headers` with `request.set = { authorization = "Basic ${env:NAME}" }`.',
      sensitive: true,
    };
  }
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    const message = `Expected a URL such as \`"http://127.0.0.1:4003"\`, found ${quoted(text)}.`;
    const bare = /^[\w.-]+(:\d{1,5})?(\/\S*)?$/.test(text) && URL.canParse(`http://${text}`);
    const help = bare
      ? `Add the scheme: \`"http://${text}"\`.`
      : 'A target is reached by `http://` or `https://`, then its host and port.';
    return { message, help };
  }
  if (!url.search && !url.hash) return undefined;
  const message = `A target URL holds a scheme, a host, a port and perhaps a base path, nothing more; found ${quoted(text)}.`;
  return { message, help: 'Requests bring their own query; take it off the URL.' };
}

const targetUrl = () => s.reference('a URL such as `"http://127.0.0.1:4003"`', urlProblem);

/** A name as a Host field has it, without a port. */
function hostNameProblem(text: string): Problem | undefined {
  if (/^[\w-]+(\.[\w-]+)*\.?$/.test(text)) return undefined;
  const message = `Expected a host name such as \`"gw.internal"\`, found ${quoted(text)}.`;
  return { message, help: 'Write the name alone: no scheme, no port and no wildcard.' };
}

/** An address or a CIDR block. */
function blockProblem(text: string): string | undefined {
  const [host = '', bits, ...more] = text.split('/');
  const family = isIP(host);
  const most = family === 6 ? 128 : 32;
  const right =
    family !== 0 && more.length === 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most));
  return right
    ? undefined
    : `Expected an address or a block of addresses such as \`"10.0.0.0/8"\`, found ${quoted(text)}.`;
}

export const listener = s.object({
  address: address(),
  tls: listenerTls().describe('Serve HTTPS with this certificate.').optional(),
  max_header: s
    .size({ min: 1024, max: 16 * 1024 ** 2 })
    .describe('Largest request head.')
    .default(32 * 1024),
  max_headers: s.integer({ min: 1, max: 1000 }).describe('Most header fields in a request.').default(100),
  max_target: s
    .size({ min: 64, max: 16 * 1024 ** 2 })
    .describe('Longest request target: path and query as they are sent.')
    .default(16 * 1024),
  max_body: s
    .size()
    .describe('Largest request body.')
    .default(4 * 1024 ** 3),
  max_connections: s
    .integer({ min: 1 })
    .describe('Most connections at once, over all workers; further ones are refused.')
    .default(20_000),
  max_connections_per_address: s
    .integer({ min: 1 })
    .describe(
      'Most connections from one client address (IPv6: one /64), trusted proxies excepted. Left out: 1024, and for this machine’s own addresses no bound.',
    )
    .optional(),
  max_requests_per_connection: s
    .integer({ min: 1 })
    .describe('Requests after which a connection is closed, so that none lives for ever.')
    .default(10_000),
  min_body_rate: s
    .size()
    .describe(
      'Bytes a second that a client must at least send of a request body, and take of a reply, after a grace of five seconds; `"0B"`: no bound.',
    )
    .default(240),
  underscores: s
    .enum('refuse-aliases', 'refuse', 'drop', 'keep')
    .describe(
      'Header names with `_`, which many targets read as `-`: refuse the request if the name would then be one that gw or a policy sets, refuse any, drop the fields, or keep them.',
    )
    .default('refuse-aliases'),
  header_timeout: s.duration({ min: 1 }).describe('Time to send a whole request head.').default(10_000),
  body_timeout: s
    .duration({ min: 1 })
    .describe('Longest silence of a client within a request body, or while it takes a reply.')
    .default(30_000),
  idle_timeout: s
    .duration()
    .describe('How long a keep-alive connection may wait for its next request.')
    .default(75_000),
  trusted_proxies: s
    .array(s.string({ nonEmpty: true }).check('schema/format', blockProblem))
    .describe(
      'Addresses (CIDR) whose `X-Forwarded-*` fields are believed and extended; from others they are replaced.',
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
      url: targetUrl().describe('Scheme, host, port and perhaps a base path.'),
      weight: s.integer({ min: 1, max: 1000 }).describe('Share of the traffic beside the others.').default(1),
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
    .describe('Where the service runs: URLs, or tables with a weight.', ['http://127.0.0.1:4003'])
    .optional(),
  run: s
    .object({
      command: s
        .string({ nonEmpty: true, expected: 'a command' })
        .check('schema/format', commandProblem)
        .describe('What to start, split as a shell splits words.'),
      port_env: s
        .string({ pattern: /^[A-Za-z_][A-Za-z0-9_]*$/, expected: 'a variable name' })
        .describe('Variable that tells the process its port.')
        .default('PORT'),
      cwd: s.string().describe("Working directory, relative to the spec's folder.").optional(),
      env: s.map(s.reference('a string')).describe('More variables for the process.').default({}),
      ready_timeout: s.duration({ min: 1 }).describe('How long until it must answer on its port.').default(15_000),
    })
    .describe('A managed target: gw starts it on a free port, watches it and stops it.')
    .optional(),
  connect_timeout: s.duration({ min: 1 }).describe('Time to connect to a target.').default(2000),
  response_timeout: s
    .duration({ min: 1 })
    .describe("Longest wait for a target's reply head, and between parts of its body.")
    .default(30_000),
  idle_timeout: s.duration().describe('How long an unused connection to a target is kept.').default(60_000),
  tunnel_idle_timeout: s
    .duration()
    .describe('Longest silence, both ways, on an upgraded connection (WebSocket and others); `0s` is without end.')
    .default(3_600_000),
  retries: s
    .integer({ max: 10 })
    .describe('Further attempts when a target cannot be reached, where repeating is safe.')
    .default(1),
  max_connections: s.integer({ min: 1 }).describe('Most connections to one target.').default(256),
  max_share_per_address: s
    .integer({ min: 1, max: 100 })
    .describe(
      'Percent of the connections to one target that the requests of one client address (IPv6: one /64) may hold; further ones wait.',
    )
    .default(80),
  max_queue: s.integer().describe('Most exchanges that wait for a connection; further ones get 503.').default(20_000),
  pipelining: s
    .integer({ min: 1, max: 256 })
    .describe(
      'Requests in flight on one connection to a target. Above 1, idempotent requests without a body share connections and are written together; every target must answer in order (RFC 9112 section 9.3.2).',
    )
    .default(1),
  eject_after: s.integer().describe('Failures in a row after which a target rests; 0 never.').default(5),
  eject_for: s.duration().describe('How long it rests.').default(10_000),
  host: s
    .enum('preserve', 'target')
    .describe('Host that the target sees: the one the client sent, or its own.')
    .default('preserve'),
});

export const consumer = s.object({
  plan: s.string({ nonEmpty: true }).describe('Name of the plan that this consumer bought.').optional(),
  api_keys: s
    .array(
      s.reference(
        'an API key hash `"sha256:<64 hex digits>"`',
        (text) =>
          /^sha256:[0-9a-f]{64}$/.test(text)
            ? undefined
            : {
                message: 'An API key stands in a spec only as its hash: `sha256:` and 64 lower-case hex digits.',
                help: 'Hash it: `printf %s KEY | sha256sum`; a key that stood in a repository should be replaced as well.',
              },
        { sensitive: true },
      ),
    )
    .describe('Hashes of the keys: `printf %s KEY | sha256sum`.')
    .default([]),
  tags: s
    .map(s.string())
    .describe('Free facts about the consumer; templates read them as `{consumer.tags.NAME}`.')
    .default({}),
});

export const plan = s.object({
  limits: s
    .map(s.rate())
    .describe('By name of a `rate-limit` policy: the limit that holds for consumers on this plan.')
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
    .describe('Whether `/orders/` is another path than `/orders`.')
    .default('strict'),
  dot_segments: s
    .enum('resolve', 'refuse')
    .describe('`.` and `..` in a path, also percent-encoded ones.')
    .default('resolve'),
});

export const admin = s.object({
  address: address().describe('TCP address of the admin API, beside the unix socket.').optional(),
  token: s
    .reference('a reference such as `"${env:GW_ADMIN_TOKEN}"`')
    .describe('Bearer token that TCP calls must carry.')
    .optional(),
  hosts: s
    .array(s.string({ nonEmpty: true }).check('schema/format', hostNameProblem))
    .describe(
      'Names that the Host field of TCP calls may have, beside addresses, `localhost` and the host of `address`.',
      ['gw.internal'],
    )
    .default([]),
});

export const accessLog = s.object({
  path: s.string({ nonEmpty: true }).describe('`-` for standard output, or a file.').optional(),
  format: s.enum('json', 'pretty').describe('JSON lines, or lines for people.').default('json'),
});

export const overload = s.object({
  shed_above: s
    .integer({ min: 0, max: 100 })
    .describe('Percent of the memory limit of a worker above which new connections get 503; 0: never.')
    .default(85),
  shrink_above: s
    .integer({ min: 0, max: 100 })
    .describe('Percent above which also idle connections, to clients and to targets, are closed; 0: never.')
    .default(92),
});

export const lintSettings = s.object({
  allow: s
    .array(
      s.object({
        code: s.string({ nonEmpty: true }).describe('Code of a warning.', `route/unauthenticated`),
        reason: s.string({ nonEmpty: true }).describe('Why it is right here.', 'the load balancer has no key'),
        at: s
          .string({ nonEmpty: true })
          .describe('Only for this entity, e.g. `route.health`; left out: everywhere.')
          .optional(),
      }),
    )
    .describe('Warnings that are known and meant. Errors cannot be silenced.', [
      { code: `route/unauthenticated`, at: 'route.health', reason: 'the load balancer has no key' },
    ])
    .default([]),
});

/** Settings that stand alone at the top of a spec. */
export const topLevel = {
  spec: s.integer({ min: 1, max: 1 }).describe('Version of the language: 1.'),
  drain_timeout: s.duration().describe('How long a stop or a reload waits for exchanges in flight.').default(30_000),
  drain_delay: s
    .duration()
    .describe(
      'How long, after SIGTERM, gw still accepts while `/readyz` says no already: time for a load balancer to notice.',
    )
    .default(0),
  workers: s
    .integer({ min: 1, max: 64 })
    .describe('Threads that carry requests. More than one needs Node 22.12 or later; on an older one, one serves.')
    .default(1),
};

export type ListenerConfig = Infer<typeof listener>;
export type ServiceConfig = Infer<typeof service>;
export type ConsumerConfig = Infer<typeof consumer>;
export type PlanConfig = Infer<typeof plan>;
export type NormalizeConfig = Infer<typeof normalize>;
export type AdminConfig = Infer<typeof admin>;
export type AccessLogConfig = Infer<typeof accessLog>;
export type OverloadConfig = Infer<typeof overload>;
export type LintConfig = Infer<typeof lintSettings>;
