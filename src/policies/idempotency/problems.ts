/** What idempotency answers. */
export const PROBLEMS = {
  missing: {
    code: 'idempotency/key-missing',
    status: 400,
    title: 'Idempotency-Key is missing',
    description:
      'The route needs an `Idempotency-Key` for this method. Send one that is new for each operation, such as a UUID, and the same one again when you repeat the request.',
  },
  malformed: {
    code: 'idempotency/key-malformed',
    status: 400,
    title: 'Idempotency-Key is malformed',
    description:
      'The field must have one key of 1 to 255 characters: a quoted string, or letters, digits and `-._~+/=:` without quotes.',
  },
  running: {
    code: 'idempotency/in-progress',
    status: 409,
    title: 'A request with this Idempotency-Key is in progress',
    description: 'The first request with the key has no reply yet. `Retry-After` says when to try again.',
  },
  unknown: {
    code: 'idempotency/unknown',
    status: 409,
    title: 'Outcome of the request with this Idempotency-Key is unknown',
    description:
      'The first request with the key was sent, but its reply was lost or was an error of the service: it may have been done. With `Retry-After`, the same request may be repeated at that time. Without it, find out by other means whether it was done; if it was not, use a new key.',
  },
  notKept: {
    code: 'idempotency/reply-not-kept',
    status: 409,
    title: 'Request with this Idempotency-Key was already done',
    description:
      'The first request with the key was done, and its reply cannot be repeated: it was too large, was cut, there was no room for it, or the gateway was restarted. With `Retry-After`, it cannot be read now, and the same request may get it at that time. `completed_status` is its status. Do not send the request again with another key unless it should be done twice.',
  },
  reused: {
    code: 'idempotency/key-reused',
    status: 422,
    title: 'Idempotency-Key was used for another request',
    description:
      'The method, the target, the content type or the body differs from the first request with the key. Use a new key for another request.',
  },
  full: {
    code: 'idempotency/full',
    status: 503,
    title: 'No room for further idempotency keys',
    description:
      'The gateway cannot remember another key, in all or for this caller, so the request was not sent. `Retry-After` says when to try again.',
  },
  unavailable: {
    code: 'idempotency/unavailable',
    status: 503,
    title: 'Idempotency keys cannot be checked',
    description:
      'The gateway cannot find out whether the request was sent before, so it was not sent now. `Retry-After` says when to try again.',
  },
} as const;
