/** What authzen answers. */
export const PROBLEMS = {
  forbidden: {
    code: 'auth/forbidden',
    status: 403,
    title: 'Not allowed',
    description: 'The authorization service does not permit the request.',
  },
  missing: {
    code: 'auth/missing',
    status: 401,
    title: 'Credentials required',
    description:
      'The request has no credentials, so the subject is not known. `WWW-Authenticate` has the challenges of the policies that authenticate.',
  },
  unavailable: {
    code: 'authzen/unavailable',
    status: 503,
    title: 'Authorization service not available',
    description: 'The authorization service did not answer in time, or not with a decision. Retry later.',
  },
} as const;
