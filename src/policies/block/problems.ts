/** What block answers. */
export const PROBLEMS = {
  blocked: {
    code: 'block/blocked',
    status: 403,
    title: 'Request blocked',
    description: 'The address, the user agent or the referer of the request is in a list of blocked ones.',
  },
} as const;
