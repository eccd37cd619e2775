/** What forward-auth answers. */
export const PROBLEMS = {
  refused: {
    code: 'auth/refused',
    status: 401,
    title: 'Refused by the authorization service',
    description:
      'The client gets status, selected fields and body of the answer of the service, which may have any status from 300 to 499.',
  },
} as const;
