/** The errors that transform answers with. */
export const PROBLEMS = {
  path: {
    code: 'transform/path',
    status: 400,
    title: 'Path cannot be rewritten',
    description:
      'A value of the request is not valid in the path that a `transform` policy produces: it would be a dot segment, an encoded slash or an empty segment.',
  },
} as const;
