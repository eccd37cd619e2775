/** What mock answers besides examples. */
export const PROBLEMS = {
  method: {
    code: 'mock/method',
    status: 405,
    title: 'Method not mocked',
    description: 'The document has no operation with this method at the path; `Allow` lists the methods.',
  },
  unacceptable: {
    code: 'mock/not-acceptable',
    status: 406,
    title: 'Media type not mocked',
    description: 'The client accepts none of the media types for which the mock has an example.',
  },
} as const;
