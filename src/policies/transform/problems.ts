/** The errors that transform answers with. */
export const PROBLEMS = {
  path: {
    code: 'transform/path',
    status: 400,
    title: 'Path cannot be rewritten',
    description:
      'A value of the request is not valid in the path that a `transform` policy produces: it would be a dot segment, an encoded slash or an empty segment.',
  },
  request: {
    code: 'transform/request-body',
    status: 400,
    title: 'Request body cannot be transformed',
    description:
      'The body of the request is not valid in its format, or a `transform` policy cannot make of it what the target expects. `detail` says what is wrong with the format.',
  },
  line: {
    code: 'transform/line-too-long',
    status: 413,
    title: 'Line of the request body too long',
    description:
      'A line of the request body, which is JSON in lines, is longer than `max_body` of a `transform` policy.',
  },
  mediaType: {
    code: 'transform/media-type',
    status: 415,
    title: 'Media type not accepted',
    description:
      'A `transform` policy reads the body of the request, which has another media type. `Accept` names those that it reads.',
  },
  reply: {
    code: 'transform/reply-body',
    status: 502,
    title: 'Reply of the target cannot be transformed',
    description:
      "The body of the target's reply is not valid in its format, has another media type than a `transform` policy reads, or cannot be transformed. The access log has the cause.",
  },
} as const;
