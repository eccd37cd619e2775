/** What rate-limit answers. */
export const PROBLEMS = {
  exceeded: {
    code: 'limit/exceeded',
    status: 429,
    title: 'Too many requests',
    description: 'The limit is used up. `Retry-After` says when the next request can pass.',
  },
} as const;
