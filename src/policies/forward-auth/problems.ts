/** What forward-auth answers. */
export const PROBLEMS = {
  unavailable: {
    code: 'auth/no-decision',
    status: 503,
    title: 'No decision about the request',
    description:
      'The service that decides cannot be reached, is too slow, or failed. Requests are never let through without its answer.',
  },
  refused: {
    code: 'auth/refused',
    status: 401,
    title: 'Refused by the authorization service',
    description:
      'The client gets status, selected fields and body of the answer of the service, which may have any status from 300 to 499.',
  },
} as const;
