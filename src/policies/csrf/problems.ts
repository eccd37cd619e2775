/** What csrf answers. */
export const PROBLEMS = {
  refused: {
    code: 'csrf/refused',
    status: 403,
    title: 'Cross-site request refused',
    description:
      'The request changes something, or opens a WebSocket, and comes from a page of another site, or its token is missing or not valid.',
  },
} as const;
