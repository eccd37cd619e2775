/** What aggregate answers if it has no reply of its calls. */
export const PROBLEMS = {
  body: {
    code: 'aggregate/body',
    status: 400,
    title: 'The request body is not JSON',
    description: 'The calls use the body of the request, which is not valid JSON. `detail` says where.',
  },
  refused: {
    code: 'aggregate/call-refused',
    status: 400,
    title: 'A service refused a call',
    description:
      'A required call was answered with a status from 400 to 499, which the reply has too (not 407: that is 502). `call` names the call.',
  },
  failed: {
    code: 'aggregate/call-failed',
    status: 502,
    title: 'A call failed',
    description:
      'A required call has no usable reply: a status from 300 to 399 or 500 to 599, no connection, a body that is too large or cannot be read. `call` names the call.',
  },
  timeout: {
    code: 'aggregate/call-timeout',
    status: 504,
    title: 'A call timed out',
    description:
      'A required call had no reply within its `timeout`, or within that of the aggregate. `call` names the call.',
  },
  precondition: {
    code: 'aggregate/precondition',
    status: 412,
    title: 'The reply is not the one that the request asks for',
    description:
      'The request has `If-Match` or `If-Unmodified-Since`, and the reply that the calls give now is another one.',
  },
  overloaded: {
    code: 'aggregate/overloaded',
    status: 503,
    title: 'No room for a call',
    description:
      'The replies of all calls in progress take all memory that is meant for bodies, or too many calls are in progress or wait for a connection. Try again later.',
  },
  merge: {
    code: 'aggregate/merge',
    status: 502,
    title: 'The replies of the calls do not fit together',
    description: 'The calls were answered, but `status` or `headers` have no valid value for these replies.',
  },
} as const;
