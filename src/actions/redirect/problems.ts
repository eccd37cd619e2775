/** What redirect answers instead of a redirect. */
export const PROBLEMS = {
  host: {
    code: 'redirect/host',
    status: 400,
    title: 'Missing Host',
    description: 'The location contains the host of the request, and the request has none (HTTP/1.0).',
  },
  loop: {
    code: 'redirect/loop',
    status: 508,
    title: 'Redirect loop',
    description:
      'The location is the URL of the request itself. Restrict the route with `scheme` or `listeners`, or change the location.',
  },
} as const;
