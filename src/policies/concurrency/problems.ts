/** What concurrency answers. */
export const PROBLEMS = {
  caller: {
    code: 'concurrency/exceeded',
    status: 429,
    title: 'Too many requests at the same time',
    description:
      'The caller has as many requests in progress as it may. Wait until one has ended; `Retry-After` says when to try again.',
  },
  route: {
    code: 'concurrency/busy',
    status: 503,
    title: 'Route busy',
    description:
      'All callers together have as many requests of the route in progress as it serves. `Retry-After` says when to try again.',
  },
} as const;
