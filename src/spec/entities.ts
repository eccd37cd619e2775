/** Declarations of the spec's entities and settings: every key that does not belong to a policy. */
import { type Infer, type Problem, quoted, s } from '../schema/declare.js';
import { address } from './addresses.js';

export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

/** What is wrong with a host name without port; undefined if it is valid. */
function hostNameProblem(text: string): Problem | undefined {
  if (/^[\w-]+(\.[\w-]+)*\.?$/.test(text)) return undefined;
  const message = `Expected a host name such as \`"gw.internal"\`, found ${quoted(text)}.`;
  return { message, help: 'Write only the name, without scheme, port or wildcard.' };
}

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
  zone: s
    .reference('the name of a zone, or a reference such as `"${env:ZONE}"`')
    .describe(
      'Zone in which the gateway runs: targets in the same one come first ([docs/balancing.md](balancing.md)). Default, and if empty: all targets are alike.',
      '${env:ZONE}',
    )
    .optional(),
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

export type PlanConfig = Infer<typeof plan>;
export type NormalizeConfig = Infer<typeof normalize>;
export type AdminConfig = Infer<typeof admin>;
export type AccessLogConfig = Infer<typeof accessLog>;
export type AuthenticationConfig = Infer<typeof authentication>;
export type OverloadConfig = Infer<typeof overload>;
export type LintConfig = Infer<typeof lintSettings>;
