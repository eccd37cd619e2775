/** What docs/errors.md says about each error of gw itself. Only the generator of the page and tests import it. */
import type { ErrorSlug } from './errors.js';

export interface ErrorDescription {
  /** When it occurs, in Markdown. */
  readonly when: string;
  /** It occurs only before a route is known, so no policy edits its reply. */
  readonly routeless?: true;
}

const on = (when: string): ErrorDescription => ({ when });
const before = (when: string): ErrorDescription => ({ when, routeless: true });

export const DESCRIPTIONS: { readonly [slug in ErrorSlug]: ErrorDescription } = {
  'request/malformed': on(
    'The head or the framing of the body is not valid HTTP/1.1, or is ambiguous. The connection is closed.',
  ),
  'request/host': before(
    '`Host` is missing, repeated, empty, or not a host with an optional port. The connection is closed.',
  ),
  'request/field-name': before(
    "A header name contains an underscore, which many targets treat as a hyphen, and the listener's `underscores` refuses it. The connection is closed.",
  ),
  'request/path': before('The path cannot be normalised by the rules of the spec (see path-normalisation.md).'),
  'request/rewrite': on(
    "A value of the request, such as a header field, is not valid in the path that the route's `rewrite` produces: it would be a dot segment, an encoded slash or an empty segment.",
  ),
  'request/timeout': on(
    "The head did not arrive within `header_timeout`, no byte of the body arrived for `body_timeout`, or the body did not arrive within the route's `timeout`, so that no target was asked.",
  ),
  'request/too-slow': on('The body arrived more slowly than `min_body_rate`.'),
  'request/shed': on(
    'The body arrived slowly and occupied a connection to the target while other requests waited for one: the slowest end first ([slow clients](limits.md#slow-clients)).',
  ),
  'request/body-too-large': on("The body is longer than the route's or the listener's `max_body`."),
  'request/unreadable': on('A policy of the route must read the request body, which has a content coding.'),
  'request/target-too-long': before(
    'The request target is longer than `max_target`, or the request line alone fills `max_header`.',
  ),
  'request/expectation': before('`Expect` is not `100-continue`.'),
  'request/misdirected': before(
    'The connection is not the right one for the host: the request target is an absolute `https` URL, and the connection has no TLS; or the host has another [TLS policy](tls.md#several-certificates) than the server name of the connection.',
  ),
  'request/cleartext': before('A listener with `tls` received something other than TLS. The connection is closed.'),
  'request/certificate': before(
    'The listener asks for client certificates, and that of the connection is missing, not valid, expired or revoked. The connection is closed. A client without the certificate that a listener requires gets a TLS alert instead, which the access log records under this code.',
  ),
  'request/head-too-large': before('The head is longer than `max_header`, or has more fields than `max_headers`.'),
  'request/not-implemented': before(
    '`CONNECT` to a host and port, a method longer than 32 characters, a transfer coding other than `chunked`, or a WebSocket at a target that speaks HTTP/2 only.',
  ),
  'request/version': before(
    'A major version other than 1, including HTTP/2 where a listener does not speak it. HTTP/1.2 and later minor versions are processed as HTTP/1.1.',
  ),
  'route/none': before('No route matches the host, path and conditions of the request.'),
  'route/method': before('Routes match the path, but not the method; `Allow` lists the methods.'),
  'route/rewrite': on(
    "The route's `rewrite` produces an invalid path, and no value of the request is the reason: a consumer's name or tag is empty or contains a slash.",
  ),
  'auth/disabled': on('The consumer of the request is `disabled`. Its credential is valid.'),
  'auth/revoked': on(
    'The consumer or its credential was removed or disabled, the credential expired, or its client certificate was revoked, while the exchange was in progress: requests, streams and tunnels end within a second. `keep_streams` of the consumer keeps them open. `cause` in the access log names the reason.',
  ),
  'auth/unavailable': on(
    'An authenticator cannot check credentials at the moment: a key set or a service is not available. gw never lets such a request pass.',
  ),
  'auth/too-many-failures': on(
    "A credential is wrong, and more of them from the client's address were wrong than `authentication.failures` allows; or `basic` refuses further attempts for a user name. `Retry-After` says when to try again. A valid credential passes.",
  ),
  'policy/failed': on('A policy threw an exception, or answered with an invalid reply. Policies fail closed.'),
  'policy/answered': on("A policy answered without a code of its own. The status is the policy's."),
  'action/failed': on('The action of the route threw an exception, or answered with an invalid reply.'),
  'upstream/none': on(
    'The service has no target at the moment, and none has come within `wait_for_targets`, or a managed one cannot be started ([scaling](scaling.md)). The access log has the cause.',
  ),
  'upstream/open': on(
    'The circuit breaker of the service is open, or half-open with enough requests on their way ([breaker](resilience.md#circuit-breaker)). `Retry-After` says when requests are sent to it again.',
  ),
  'upstream/requests-full': on('As many requests to the service are in flight as `max_requests` allows.'),
  'upstream/queue-full': on('All `max_connections` of the target are in use, and `max_queue` exchanges wait already.'),
  'upstream/queue-timeout': on('No connection became free within `connect_timeout`.'),
  'upstream/unreachable': on('The name was not found, the connection was refused, or the certificate is not trusted.'),
  'upstream/reset': on('The target closed the connection before its reply, and a retry was not safe or failed too.'),
  'upstream/invalid': on('The reply is not valid HTTP/1.1, or is ambiguous. The connection to the target is closed.'),
  'upstream/too-large': on(
    "A policy or an action called a service, and the reply is larger than it accepts; or the reply of the route's service is larger than a policy may collect.",
  ),
  'upstream/calls-full': on(
    'A policy or an action called a service while too many calls were in progress: 32 for one exchange, 256 of a worker without an exchange, or 16,384 of a worker.',
  ),
  'upstream/unreadable': on(
    'A policy of the route must read the reply, which has a content coding, or is a part (206) of it, although gw asked for neither.',
  ),
  'upstream/connect-timeout': on('No connection within `connect_timeout`.'),
  'upstream/timeout': on(
    'No reply head within `response_timeout`, or no further bytes of the body (the reply is cut).',
  ),
  'upstream/aborted': on("The target closed the connection within its reply; the client's connection is cut too."),
  'websocket/handshake': on(
    'The upgrade to `websocket` is not a `GET`, or its `Sec-WebSocket-Key` or `Sec-WebSocket-Version` is missing or malformed.',
  ),
  'websocket/version': on('The upgrade to `websocket` asks for another version than 13, the one of RFC 6455.'),
  'websocket/protocol': on('A frame of the client or the target breaks RFC 6455. gw closed with code 1002.'),
  'websocket/too-large': on(
    "A message is larger than the route's `websocket.max_message` or `max_reply_message`. gw closed with code 1009.",
  ),
  'websocket/rate': on(
    "The client sent more messages than the route's `websocket.max_rate` allows. gw closed with code 1008.",
  ),
  'tunnel/drained': on('gw or the listener of a WebSocket stops. gw closed with code 1001.'),
  'tunnel/idle': on(
    "An upgraded connection was idle for the service's `tunnel_idle_timeout`, or a WebSocket for the route's `websocket.idle_timeout`; gw closed a WebSocket with code 1001.",
  ),
  'exchange/timeout': on(
    "The route's `timeout` or the `grpc-timeout` of the client expired; a reply that has begun is cut.",
  ),
  'downstream/aborted': on('The client closed the connection before the exchange was over.'),
  'downstream/slow': on(
    'The client read nothing of its reply for `body_timeout`, or read more slowly than `min_body_rate`.',
  ),
  'downstream/flood': before(
    'The client sent more HTTP/2 frames of a kind that costs the gateway work than it accepts, for example resets of streams ([HTTP/2](http2.md#bounds)).',
  ),
  'downstream/shed': on(
    'The client read its reply slowly and occupied a connection to the target while other requests waited for one: the slowest end first ([slow clients](limits.md#slow-clients)).',
  ),
  'listener/full': before('The listener has `max_connections` open connections.'),
  'listener/address-full': before("The client's address has `max_connections_per_address` open connections."),
  'listener/proxy-protocol': before(
    'A listener with `proxy_protocol` got a connection from an address that is none of `trusted_proxies`, or without a valid header in time. It is closed without a reply.',
  ),
  'gateway/overloaded': before('The worker uses more memory than `overload.shed_above` allows.'),
  'gateway/exhausted': on(
    'The system has no file descriptor, local port or memory for another connection, to this client or to a target.',
  ),
  'gateway/failed': on(
    'A bug in gw; the log has the stack, at level `error`. The exchange ends, and its connection closes if its state is unknown; all others continue.',
  ),
  'gateway/drained': on('The exchange had not finished at the drain deadline.'),
};
