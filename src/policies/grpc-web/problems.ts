/** What grpc-web answers. */
export const PROBLEMS = {
  coding: {
    code: 'grpc-web/content-coding',
    status: 415,
    title: 'Content coding in a gRPC-Web request',
    description:
      'The body of a gRPC-Web request has a `Content-Encoding`, which gRPC does not know. Send it without; messages may be compressed one by one.',
  },
  base64: {
    code: 'grpc-web/invalid-text',
    status: 400,
    title: 'Invalid base64 in a gRPC-Web request',
    description:
      'The body of an `application/grpc-web-text` request has characters that are not base64, wrong padding, or ends within four characters.',
  },
} as const;
