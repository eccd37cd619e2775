/** Declaration of a service. A part with several keys has a file of its own. */
import { type Infer, s } from '../../schema/declare.js';
import { serviceTls } from '../tls.js';
import { balance } from './balance.js';
import { breaker } from './breaker.js';
import { maxConnectionAge, refresh } from './connections.js';
import { discover } from './discover.js';
import { eject } from './eject.js';
import { health } from './health.js';
import { http2 } from './http2.js';
import { retry } from './retry.js';
import { run } from './run.js';
import { sticky } from './sticky.js';
import { target } from './target.js';

/** Two words, or a host in lower case with a dot or a port: a misspelt word is none. */
const HOST =
  /^(preserve|target|(?=.{1,253}$)(?=\S*[.:])[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*(:\d{1,5})?)$/;

export const service = s.object({
  targets: s
    .array(target, { min: 1 })
    .describe('Origins of the service: URLs, or tables with a weight.', ['http://127.0.0.1:4003'])
    .optional(),
  balance: balance(),
  sticky: sticky(),
  slow_start: s
    .duration()
    .describe(
      'Time in which the share of a target grows, after it has joined the others or is back from an ejection; `0s`: it gets its whole share at once.',
    )
    .default(0),
  discover: discover(),
  run: run()
    .describe('Managed targets: gw starts the process on a free port, once or several times, monitors it and stops it.')
    .optional(),
  tls: serviceTls()
    .describe('TLS towards `https` targets: a client certificate, and how targets are verified.')
    .optional(),
  ...http2(),
  connect_timeout: s.duration({ min: 1 }).describe('Time limit for connecting to a target.').default(2000),
  response_timeout: s
    .duration({ min: 1 })
    .describe('Maximum wait for the reply head of a target, and between parts of the body.')
    .default(30_000),
  idle_timeout: s.duration().describe('How long an idle connection to a target stays open.').default(60_000),
  refresh: refresh(),
  max_connection_age: maxConnectionAge(),
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
  retry: retry()
    .describe(
      'When and how requests are repeated. Without this table, failures to connect and connections that end before the reply are.',
    )
    .optional(),
  health: health()
    .describe('Active checks of the targets, once for all workers; unhealthy targets get no requests.')
    .optional(),
  breaker: breaker().describe('A circuit breaker: while the service fails, requests get 503 at once.').optional(),
  on_client_close: s
    .enum('finish', 'cancel')
    .describe(
      'What becomes of a request whose client leaves: it goes on to its end (`finish`), or ends at once, also if the client only sends nothing more (`cancel`). Default: it ends when the connection of the client has closed.',
    )
    .optional(),
  max_requests: s
    .integer({ min: 1 })
    .describe('Maximum number of requests to the service in flight, over all workers; excess requests get 503.')
    .optional(),
  max_connections: s.integer({ min: 1 }).describe('Maximum number of connections to one target.').default(256),
  max_share_per_address: s
    .integer({ min: 1, max: 100 })
    .describe(
      'Maximum percentage of the connections to one target that requests from one client address (IPv6: one /64) may use; further requests wait.',
    )
    .default(80),
  wait_for_targets: s
    .duration()
    .describe(
      'How long requests wait while the service has no target: none of its processes is ready, or its source names none; then they get 503. Default: `ready_timeout` for processes that gw runs, otherwise `0s`.',
      '15s',
    )
    .optional(),
  requests_per_target: s
    .integer({ min: 1, max: 100_000 })
    .describe(
      'Requests in flight that one target is meant to have. Processes that gw runs are started and stopped by it (default for them: 20), and the metric `gw_service_desired_targets` says how many targets the service needs ([docs/scaling.md](scaling.md)). Not a limit.',
      '20',
    )
    .optional(),
  max_queue: s
    .integer()
    .describe('Maximum number of requests that wait for a connection, or for a target; excess requests get 503.')
    .default(20_000),
  proxy_protocol: s
    .enum('v1', 'v2')
    .describe(
      'Connections to targets begin with a header of the PROXY protocol that says the address of the client. Each connection then serves one client address, and `pipelining` has no effect. Only for HTTP/1.1.',
      'v2',
    )
    .optional(),
  pipelining: s
    .integer({ min: 1, max: 256 })
    .describe(
      'Maximum number of requests in flight on one connection to a target. Above 1, idempotent requests without a body share connections and are written together; every target must answer in order (RFC 9112 section 9.3.2).',
    )
    .default(1),
  ...eject(),
  host: s
    .string({
      pattern: HOST,
      expected: '`"preserve"`, `"target"` or a host such as `"orders.example"`',
    })
    .describe(
      'Host field sent to the target: that of the client (`preserve`), that of the target URL (`target`), or this host, with a dot or a port.',
    )
    .default('preserve'),
  policies: s
    .array(s.string({ nonEmpty: true }))
    .describe(
      'Policies of every route that forwards to the service, and of the calls of policies to it, by name; only those that act on requests to targets, such as `upstream-auth`.',
      ['sign'],
    )
    .default([]),
});

export type ServiceConfig = Infer<typeof service>;
