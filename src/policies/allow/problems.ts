/** What allow answers. */
export const PROBLEMS = {
  forbidden: {
    code: 'auth/forbidden',
    status: 403,
    title: 'Not allowed',
    description: 'The caller is known, but no rule of the route allows the request, or a rule denies it.',
  },
  scope: {
    code: 'auth/insufficient-scope',
    status: 403,
    title: 'Insufficient scope',
    description: 'A rule would allow the request if the caller had more scopes; `WWW-Authenticate` names them.',
  },
  missing: {
    code: 'auth/missing',
    status: 401,
    title: 'Credentials required',
    description:
      'The request has no credentials, and no rule allows that. `WWW-Authenticate` has the challenges of the policies that authenticate.',
  },
} as const;
