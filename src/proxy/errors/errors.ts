/**
 * Errors with which gw refuses or aborts an exchange, by their slug in the access log. docs/errors.md describes them.
 */

export interface ErrorKind {
  /** Status of the reply; 0: the exchange is aborted without a reply, or within it. */
  readonly status: number;
  /** Title of the problem (RFC 9457): a short phrase without a full stop, the same for every occurrence. */
  readonly title: string;
  /** What the client can do. Names no targets, addresses or internal causes. */
  readonly detail: string;
  /** Header fields of the reply: Retry-After if waiting helps. */
  readonly headers?: { readonly [name: string]: string };
}

const kind = (status: number, title: string, detail: string): ErrorKind => ({ status, title, detail });

/** An error that usually passes; clients may retry after `retryAfter` seconds. */
const temporary = (status: number, title: string, detail: string, retryAfter: number): ErrorKind => ({
  ...kind(status, title, detail),
  headers: { 'retry-after': String(retryAfter) },
});

export const ERRORS = {
  'request/malformed': kind(400, 'Malformed request', 'The request is not valid HTTP/1.1, or is ambiguous.'),
  'request/host': kind(400, 'Missing or invalid Host', 'Send exactly one Host field with a host and an optional port.'),
  'request/field-name': kind(
    400,
    'Header name not allowed',
    'A header name contains an underscore. Use a hyphen, or omit the field.',
  ),
  'request/path': kind(
    400,
    'Path not allowed',
    'The path contains an escape or a segment that this gateway does not accept.',
  ),
  'request/rewrite': kind(
    400,
    'Value not allowed',
    'A value of the request is not valid in the path that the route sends to its service.',
  ),
  'request/timeout': kind(408, 'Request timed out', 'The request did not arrive in time.'),
  'request/too-slow': kind(408, 'Request too slow', 'The request body arrived too slowly.'),
  'request/shed': temporary(
    408,
    'Request too slow while others wait',
    'The request body arrived slowly while other requests waited for the service. Try again later.',
    1,
  ),
  'request/body-too-large': kind(413, 'Request body too large', 'Send a smaller body.'),
  'request/unreadable': kind(415, 'Content coding not supported', 'Send the body without a Content-Encoding.'),
  'request/target-too-long': kind(414, 'Request target too long', 'Send a shorter URL.'),
  'request/expectation': kind(417, 'Expectation failed', 'The only expectation supported is 100-continue.'),
  'request/misdirected': kind(
    421,
    'Misdirected request',
    'Send the request over a TLS connection with the host as server name (SNI).',
  ),
  'request/cleartext': kind(426, 'TLS required', 'Use https for this port.'),
  'request/certificate': kind(
    403,
    'Client certificate not accepted',
    'Connect again with a client certificate that this gateway accepts.',
  ),
  'request/head-too-large': kind(431, 'Request head too large', 'Send fewer or shorter header fields.'),
  'request/not-implemented': kind(501, 'Not implemented', 'The method, upgrade or transfer coding is not supported.'),
  'request/version': kind(505, 'HTTP version not supported', 'Use HTTP/1.1.'),
  'route/none': kind(404, 'No such route', 'No route of this gateway matches the request.'),
  'route/method': kind(405, 'Method not allowed', 'The Allow field lists the methods of this path.'),
  'route/rewrite': kind(
    500,
    'Route misconfigured',
    'The route produces a path that is not valid. The request is not the reason.',
  ),
  'auth/disabled': kind(403, 'Consumer disabled', 'The consumer is disabled. Ask the operator of this gateway.'),
  'auth/revoked': kind(
    403,
    'Credentials revoked',
    'The credentials of the request were revoked or have expired while it was in progress.',
  ),
  'auth/unavailable': temporary(
    503,
    'Credentials cannot be checked',
    'The gateway cannot check credentials at the moment. Try again later.',
    5,
  ),
  'auth/too-many-failures': kind(
    429,
    'Too many failed attempts',
    'Too many attempts with wrong credentials were made. Try again later.',
  ),
  'policy/failed': kind(500, 'Policy failed', 'A policy of the route failed, so the request was refused.'),
  'policy/answered': kind(0, 'Answered by a policy', 'A policy of the route answered instead of the target.'),
  'action/failed': kind(500, 'Action failed', 'The action of the route failed, so the request was not answered.'),
  'upstream/none': kind(503, 'No target', 'The service of this route has no target at the moment.'),
  'upstream/open': temporary(
    503,
    'Service failing',
    'The service fails at the moment, so requests are not sent to it. Try again later.',
    5,
  ),
  'upstream/requests-full': temporary(
    503,
    'Service busy',
    'Too many requests to the service are in progress. Try again later.',
    1,
  ),
  'upstream/queue-full': temporary(503, 'Service busy', 'Too many requests wait for the service. Try again later.', 1),
  'upstream/queue-timeout': temporary(
    503,
    'Service busy',
    'No connection to the service became free in time. Try again later.',
    1,
  ),
  'upstream/unreachable': kind(502, 'Service unreachable', 'The service could not be reached.'),
  'upstream/reset': kind(502, 'Service closed the connection', 'The service closed the connection before its reply.'),
  'upstream/invalid': kind(502, 'Invalid reply from the service', 'The reply of the service is not valid HTTP.'),
  'upstream/too-large': kind(502, 'Reply too large', 'A reply of a service is larger than this gateway accepts.'),
  'upstream/calls-full': temporary(
    503,
    'Too many calls',
    'The gateway waits for too many replies of other services. Try again later.',
    1,
  ),
  'upstream/unreadable': kind(
    502,
    'Unreadable reply from the service',
    'The service replied in a form that the gateway cannot check or change.',
  ),
  'upstream/connect-timeout': kind(504, 'Service unreachable in time', 'The service could not be reached in time.'),
  'upstream/timeout': kind(504, 'Service timed out', 'The service did not reply in time.'),
  'upstream/aborted': kind(
    0,
    'Reply cut by the service',
    'The service closed the connection in the middle of its reply.',
  ),
  'websocket/handshake': kind(
    400,
    'Invalid WebSocket handshake',
    'Send GET with Sec-WebSocket-Version 13 and a Sec-WebSocket-Key of 16 bytes in base64.',
  ),
  'websocket/version': {
    ...kind(400, 'WebSocket version not supported', 'Use version 13 of the WebSocket protocol.'),
    headers: { 'sec-websocket-version': '13' },
  },
  'websocket/protocol': kind(0, 'Invalid WebSocket frame', 'A frame does not follow RFC 6455.'),
  'websocket/too-large': kind(0, 'WebSocket message too large', 'A message is larger than the route allows.'),
  'websocket/rate': kind(0, 'Too many WebSocket messages', 'The client sent more messages than the route allows.'),
  'tunnel/drained': kind(0, 'Closed by the drain', 'The gateway closed the WebSocket because it stops.'),
  'tunnel/idle': kind(0, 'Tunnel idle', 'The upgraded connection was idle for too long.'),
  'exchange/timeout': kind(504, 'Request timed out', 'The request took longer than the route allows.'),
  'downstream/aborted': kind(
    0,
    'Client closed the connection',
    'The client closed the connection before the exchange was over.',
  ),
  'downstream/slow': kind(0, 'Client too slow', 'The client did not read its reply in time.'),
  'downstream/flood': kind(
    0,
    'Too many frames of HTTP/2',
    'The client sent more frames that cost work than this gateway accepts, so its connection was closed.',
  ),
  'downstream/shed': kind(
    0,
    'Client too slow while others wait',
    'The client read its reply slowly while other requests waited for the service.',
  ),
  'listener/full': temporary(
    503,
    'Too many connections',
    'The listener has reached its maximum number of connections. Try again later.',
    1,
  ),
  'listener/address-full': temporary(
    429,
    'Too many connections from your address',
    'Your address has reached its maximum number of connections. Reuse open connections, or close some.',
    1,
  ),
  'listener/proxy-protocol': kind(0, 'No valid PROXY header', 'Connect through the proxy of this gateway.'),
  'gateway/overloaded': temporary(503, 'Gateway overloaded', 'The gateway is short of memory. Try again later.', 5),
  'gateway/exhausted': kind(
    503,
    'Gateway exhausted',
    'The gateway cannot open another connection at the moment. Try again later.',
  ),
  'gateway/failed': kind(500, 'Gateway failed', 'The gateway failed on this request. Its log has the error.'),
  'gateway/drained': kind(0, 'Cut by the drain deadline', 'The gateway stopped before the exchange was over.'),
} as const satisfies { readonly [slug: string]: ErrorKind };

/** The log message, at level `error`, for `gateway/failed`. */
export const BUG = 'exchange failed (a bug in gw)';

export type ErrorSlug = keyof typeof ERRORS;
