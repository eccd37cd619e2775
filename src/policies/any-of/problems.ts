/** What any-of answers. */
export const PROBLEMS = {
  missing: {
    code: 'auth/missing',
    status: 401,
    title: 'Credentials required',
    description: 'The request has none of the credentials that the policies accept; `WWW-Authenticate` lists them.',
  },
} as const;
