/** What api-key answers. */
export const PROBLEMS = {
  missing: {
    code: 'auth/missing',
    status: 401,
    title: 'API key required',
    description: 'The request has no API key where the policy looks for one.',
  },
  invalid: {
    code: 'auth/invalid',
    status: 401,
    title: 'Unknown API key',
    description: 'No consumer has the API key.',
  },
  ambiguous: {
    code: 'auth/ambiguous',
    status: 400,
    title: 'More than one API key',
    description: 'The request has several API keys. Send exactly one.',
  },
} as const;
