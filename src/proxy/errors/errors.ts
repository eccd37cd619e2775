/** Every way in which gw itself refuses or cuts an exchange: the slugs of the access log. docs/errors.md says them for people. */

export interface ErrorKind {
  /** Status of the reply; 0 where the exchange is cut without one (or in the middle of one). */
  readonly status: number;
  /** The problem's title, RFC 9457; the same for every occurrence. */
  readonly title: string;
  /** What the reader of the reply may do. Says nothing of targets, addresses or causes inside. */
  readonly detail: string;
  /** Fields of the reply: Retry-After where waiting helps. */
  readonly headers?: { readonly [name: string]: string };
}

const kind = (status: number, title: string, detail: string): ErrorKind => ({ status, title, detail });

/** One that passes by itself, for all that is known in so many seconds. */
const passing = (status: number, title: string, detail: string, retryAfter: number): ErrorKind => ({
  ...kind(status, title, detail),
  headers: { 'retry-after': String(retryAfter) },
});

export const ERRORS = {
  'request/malformed': kind(
    400,
    'Malformed request',
    'The request is not valid HTTP/1.1, or could be read in two ways.',
  ),
  'request/host': kind(
    400,
    'Missing or invalid Host',
    'Send exactly one Host field with a host name and perhaps a port.',
  ),
  'request/field-name': kind(
    400,
    'Header name refused',
    'A header name with an underscore could be taken for another one. Write it with a hyphen or leave it out.',
  ),
  'request/path': kind(400, 'Path refused', 'The path holds an escape or a segment that this gateway does not accept.'),
  'request/rewrite': kind(
    400,
    'Value refused',
    'A value of the request does not fit into the path that the route sends to its service.',
  ),
  'request/timeout': kind(408, 'Request timed out', 'The request did not arrive in time.'),
  'request/too-slow': kind(408, 'Request too slow', 'The body of the request came too slowly.'),
  'request/shed': passing(
    408,
    'Request too slow while others waited',
    'The body came slowly while other requests waited for the service; try again later.',
    1,
  ),
  'request/body-too-large': kind(413, 'Request body too large', 'Send a smaller body.'),
  'request/target-too-long': kind(414, 'Request target too long', 'Send a shorter URL.'),
  'request/expectation': kind(417, 'Expectation failed', 'The only expectation supported is 100-continue.'),
  'request/misdirected': kind(421, 'Misdirected request', 'An https URL must be asked for over a secure connection.'),
  'request/cleartext': kind(426, 'TLS required', 'Use https to connect to this port.'),
  'request/head-too-large': kind(431, 'Request head too large', 'Send fewer or shorter header fields.'),
  'request/not-implemented': kind(501, 'Not implemented', 'The method or transfer coding is not supported here.'),
  'request/version': kind(505, 'HTTP version not supported', 'Use HTTP/1.1.'),
  'route/none': kind(404, 'No such route', 'No route of this gateway matches the request.'),
  'route/method': kind(405, 'Method not allowed', 'The Allow field lists the methods of this path.'),
  'route/rewrite': kind(
    500,
    'Route misconfigured',
    'The route makes a path that cannot be sent to its service. The request is not at fault.',
  ),
  'policy/failed': kind(500, 'Policy failed', 'A policy of this route failed; the request was refused.'),
  'policy/answered': kind(0, 'Answered by a policy', 'A policy of the route answered instead of the target.'),
  'upstream/none': kind(503, 'No target', 'The service of this route has no target at present.'),
  'upstream/queue-full': passing(503, 'Service busy', 'Too many requests wait for the service; try again later.', 1),
  'upstream/queue-timeout': passing(
    503,
    'Service busy',
    'No connection to the service became free in time; try again later.',
    1,
  ),
  'upstream/unreachable': kind(502, 'Service unreachable', 'The service could not be reached.'),
  'upstream/reset': kind(502, 'Service closed the connection', 'The service closed the connection before it replied.'),
  'upstream/invalid': kind(502, 'Invalid reply from the service', 'The service did not reply with valid HTTP/1.1.'),
  'upstream/connect-timeout': kind(504, 'Service unreachable in time', 'The service could not be reached in time.'),
  'upstream/timeout': kind(504, 'Service timed out', 'The service did not reply in time.'),
  'upstream/aborted': kind(
    0,
    'Reply cut by the service',
    'The service closed the connection in the middle of its reply.',
  ),
  'tunnel/idle': kind(0, 'Tunnel idle', 'Nothing went through the upgraded connection for too long.'),
  'exchange/timeout': kind(504, 'Request timed out', 'The route allows less time than the request took.'),
  'downstream/aborted': kind(0, 'Client went away', 'The client closed the connection before the exchange was over.'),
  'downstream/slow': kind(0, 'Client too slow', 'The client did not read its reply in time.'),
  'downstream/shed': kind(
    0,
    'Client too slow while others waited',
    'The client read its reply slowly while other requests waited for the service.',
  ),
  'listener/full': passing(
    503,
    'Too many connections',
    'The listener has all the connections that it may have; try again later.',
    1,
  ),
  'listener/address-full': passing(
    429,
    'Too many connections from your address',
    'Your address has all the connections that it may have; use those, or close some.',
    1,
  ),
  'gateway/overloaded': passing(503, 'Gateway overloaded', 'The gateway is short of memory; try again later.', 5),
  'gateway/exhausted': kind(
    503,
    'Gateway exhausted',
    'The gateway can open no further connection at present; try again later.',
  ),
  'gateway/failed': kind(500, 'Gateway failed', 'The gateway failed on this request, and has noted it.'),
  'gateway/drained': kind(0, 'Cut by the drain deadline', 'The gateway stopped before the exchange was over.'),
} as const satisfies { readonly [slug: string]: ErrorKind };

/** What the log says, at level `error`, of `gateway/failed`. */
export const BUG = 'an exchange failed (a bug in gw)';

export type ErrorSlug = keyof typeof ERRORS;
