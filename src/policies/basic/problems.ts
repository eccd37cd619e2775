/** What basic answers. */
export const PROBLEMS = {
  missing: {
    code: 'auth/missing',
    status: 401,
    title: 'User name and password required',
    description: 'The request has no credentials of the scheme Basic.',
  },
  invalid: {
    code: 'auth/invalid',
    status: 401,
    title: 'Wrong user name or password',
    description: 'No user has this name and password, or the field is malformed. The reply does not say which.',
  },
  ambiguous: {
    code: 'auth/ambiguous',
    status: 400,
    title: 'More than one Authorization field',
    description: 'The request has several Authorization fields. Send exactly one.',
  },
} as const;
