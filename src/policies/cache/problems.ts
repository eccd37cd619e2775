/** What the policy answers with. */
export const PROBLEMS = {
  notStored: {
    code: 'cache/not-stored',
    status: 504,
    title: 'No stored reply',
    description:
      'The request says `Cache-Control: only-if-cached`, and no stored reply may answer it. Send the request without that directive.',
  },
  range: {
    code: 'cache/range',
    status: 416,
    title: 'Range not satisfiable',
    description:
      'The `Range` of the request names no byte of the content. `Content-Range` of the reply has the length of the content.',
  },
  unusable: {
    code: 'cache/unusable',
    status: 502,
    title: 'Unusable reply of the origin',
    description:
      'The origin said that a reply has not changed (304), but to a request without conditions, or about another reply than the stored one. The origin is at fault.',
  },
} as const;
