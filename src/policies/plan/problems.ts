/** What plan answers. */
export const PROBLEMS = {
  none: {
    code: 'plan/none',
    status: 403,
    title: 'No plan',
    description: 'The route is for callers with a plan, and the caller has none.',
  },
  route: {
    code: 'plan/route',
    status: 403,
    title: 'Not part of the plan',
    description: 'The plan of the caller does not include the route.',
  },
  rate: {
    code: 'limit/exceeded',
    status: 429,
    title: 'Too many requests',
    description: 'The limit is used up. `Retry-After` says when the next request can pass.',
  },
  concurrency: {
    code: 'concurrency/exceeded',
    status: 429,
    title: 'Too many requests at the same time',
    description:
      'The caller has as many requests in progress as it may. Wait until one has ended; `Retry-After` says when to try again.',
  },
} as const;
