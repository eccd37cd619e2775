/** What mtls answers. */
export const PROBLEMS = {
  missing: {
    code: 'auth/missing',
    status: 401,
    title: 'Client certificate required',
    description: 'The connection has no client certificate, or the proxy in front of gw forwards none.',
  },
  invalid: {
    code: 'auth/invalid',
    status: 401,
    title: 'Client certificate not accepted',
    description: 'The client certificate is not valid, its issuer is not allowed, or it belongs to no consumer.',
  },
  ambiguous: {
    code: 'auth/ambiguous',
    status: 400,
    title: 'More than one caller',
    description:
      'The request has several client certificates, or the names of the certificate belong to several consumers.',
  },
} as const;
