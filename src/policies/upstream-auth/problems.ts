/** What upstream-auth answers. */
export const PROBLEMS = {
  unavailable: {
    code: 'upstream/credentials',
    status: 503,
    title: 'Credentials for the service not available',
    description:
      'The gateway has no valid credential for the service at the moment: a token cannot be fetched, or the caller has none. The access log has the cause.',
  },
  missing: {
    code: 'auth/missing',
    status: 401,
    title: 'Token required',
    description: 'The service needs a token in the name of the caller, and the request has none to exchange.',
  },
  invalid: {
    code: 'auth/invalid',
    status: 401,
    title: 'Token not accepted',
    description: 'The authorization server does not exchange the token of the request for one of the service.',
  },
} as const;
