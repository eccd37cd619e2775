/** What mask answers. */
export const PROBLEMS = {
  unreadable: {
    code: 'mask/unreadable',
    status: 502,
    title: 'Reply cannot be masked',
    description:
      'The target sent a body that a `mask` policy cannot read: it is not valid JSON, not UTF-8, or nested too deeply. It may contain what must be masked, so it is not sent.',
  },
} as const;
