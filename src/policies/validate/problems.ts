/** What validate answers. */
export const PROBLEMS = {
  request: {
    code: 'validate/request',
    status: 400,
    title: 'Request does not match its schema',
    description:
      'Parameters or the body break the schema of the operation. `errors` lists the failing fields of both, at most 20: `in` is the place, `pointer` a JSON pointer, `detail` what is wrong.',
  },
  json: {
    code: 'validate/json',
    status: 400,
    title: 'Body is not valid JSON',
    description:
      'The body is malformed, not UTF-8, nested too deeply, or has a member twice. The detail says which, and where. `errors` also lists failing parameters.',
  },
  mediaType: {
    code: 'validate/media-type',
    status: 415,
    title: 'Media type is not accepted',
    description:
      'The body has another `Content-Type` than the operation accepts; `Accept` in the reply lists those. `errors` lists failing parameters, if any.',
  },
  reply: {
    code: 'validate/reply',
    status: 502,
    title: 'Reply does not match its schema',
    description: 'The target answered with a body, media type or status that the schema does not describe.',
  },
} as const;
