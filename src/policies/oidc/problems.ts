/** What oidc answers itself. */
export const PROBLEMS = {
  login: {
    code: 'oidc/login',
    status: 400,
    title: 'Login not completed',
    description:
      'The reply of the issuer belongs to no login that this browser has begun, or the login took too long. Open the page again.',
  },
  denied: {
    code: 'oidc/denied',
    status: 403,
    title: 'Login refused',
    description: 'The issuer has refused the login, or the person has cancelled it. `detail` has its error code.',
  },
  token: {
    code: 'oidc/token',
    status: 502,
    title: 'Invalid reply of the issuer',
    description: 'The issuer has answered the login with tokens that are not valid. The log says why.',
  },
  loop: {
    code: 'oidc/loop',
    status: 508,
    title: 'Login does not last',
    description:
      'Three logins within a minute were completed, but the browser sent none of their sessions. It does not keep the cookies.',
  },
  unavailable: {
    code: 'oidc/unavailable',
    status: 503,
    title: 'Issuer cannot be reached',
    description: 'The issuer does not answer, or cannot answer now, so no login can begin or end. Try again later.',
  },
  crossSite: {
    code: 'oidc/cross-site',
    status: 403,
    title: 'Logout from another site',
    description: 'A page of another site has asked for the logout. Link to it from a page of this site.',
  },
  size: {
    code: 'oidc/session-size',
    status: 502,
    title: 'Session too large',
    description: 'The claims and tokens of the issuer do not fit into cookies. Keep fewer `claims`.',
  },
  logoutToken: {
    code: 'oidc/logout-token',
    status: 400,
    title: 'Invalid logout token',
    description: 'The back-channel logout of the issuer has no valid logout token, or one that was used before.',
  },
  returnPath: {
    code: 'oidc/return',
    status: 400,
    title: 'Invalid return path',
    description: 'The parameter `return` of the login is not a path of this site.',
  },
} as const;
