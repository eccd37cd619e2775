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
} as const;
