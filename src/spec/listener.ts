/** Declaration of a listener. */
import { type Infer, type Problem, quoted, type Schema, s } from '../schema/declare.js';
import { blockProblem, listenerAddress } from './addresses.js';
import { listenerTls } from './tls.js';

const HTTPS = /^https(?::(\d{1,5}))?$/;

function redirectProblem(text: string): Problem | undefined {
  const port = HTTPS.exec(text);
  if (port !== null && Number(port[1] ?? 443) >= 1 && Number(port[1] ?? 443) <= 65_535) return undefined;
  return {
    message: `Expected \`"https"\`, or a port such as \`"https:8443"\`, found ${quoted(text)}.`,
    help: 'A listener redirects to the same host by https. For other redirects use the action `redirect` of a route.',
  };
}

const redirect = (): Schema<number> =>
  s.mapped(s.string({ nonEmpty: true }).check('schema/value', redirectProblem), (text) =>
    Number(HTTPS.exec(text)?.[1] ?? 443),
  );

export const listener = s.object({
  address: listenerAddress(),
  socket_mode: s
    .mapped(s.string({ pattern: /^0?[0-7]{3}$/, expected: 'an octal mode such as `"0660"`' }), (mode) =>
      Number.parseInt(mode, 8),
    )
    .describe('Permissions of a unix socket: whom they let write may connect. Default: `0660`.', '0666')
    .optional(),
  tls: listenerTls()
    .describe(
      'Serve HTTPS with this certificate, or with `"acme"` with certificates that gw orders: see [`[acme]`](#acme).',
    )
    .optional(),
  redirect: redirect()
    .describe(
      'Answer every request with a redirect (308) to the same URL by https: `"https"`, or with a port `"https:8443"`. The listener serves no routes; it still answers the challenge HTTP-01 of ACME.',
      'https',
    )
    .optional(),
  protocols: s
    .array(s.enum('h2', 'http/1.1'), { min: 1 })
    .describe(
      'HTTP versions, in order of preference. With TLS, clients choose by ALPN; without TLS, HTTP/2 by prior knowledge. Default: both.',
    )
    .optional(),
  force_http2: s
    .boolean()
    .describe(
      'Speak HTTP/2 also on releases of Node whose HTTP/2 leaks memory (CVE-2026-21714: before 20.20.2, 22.22.2 and 24.14.1), where it is otherwise off.',
    )
    .optional(),
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
  max_streams: s
    .integer({ min: 1, max: 1000 })
    .describe('Maximum number of requests in flight on one HTTP/2 connection, for new connections. Default: 128.')
    .optional(),
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
  proxy_protocol: s
    .boolean()
    .describe(
      'Connections begin with a header of the PROXY protocol (version 1 or 2), which says the address of the client. Only addresses of `trusted_proxies` may connect.',
    )
    .default(false),
  trusted_proxies: s
    .array(
      s.string({ nonEmpty: true }).check('schema/format', (text) => (text === 'unix' ? undefined : blockProblem(text))),
    )
    .describe(
      'Addresses (CIDR) whose `X-Forwarded-*` fields are trusted and extended; from all other addresses they are replaced. `unix`: the clients of a unix socket.',
      ['10.0.0.0/8'],
    )
    .default([]),
});

export type ListenerConfig = Infer<typeof listener>;
