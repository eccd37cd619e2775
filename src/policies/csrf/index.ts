/** Compile part of csrf. */
import { declarePolicy } from '../compile-kit.js';
import { PROBLEMS } from './problems.js';
import { type CsrfConfig, type CsrfSettings, schema } from './schema.js';

export default declarePolicy<CsrfConfig, CsrfSettings>({
  use: 'csrf',
  summary: 'Refuses requests that a page of another site makes a browser send',
  phase: 'guard',
  stateful: false,
  schema,
  problems: Object.values(PROBLEMS),
  codes: [
    {
      code: 'csrf/insecure-cookie',
      severity: 'warning',
      summary: 'The cookie of a csrf policy cannot be set over plain HTTP, or is not bound to its host',
    },
  ],
  lint({ token }, { routes }, report) {
    if (token === undefined) return;
    const plain = routes.find(({ schemes }) => schemes.length === 1 && schemes[0] === 'http');
    if (token.cookie.startsWith('__Host-') && plain !== undefined)
      report({
        code: 'csrf/insecure-cookie',
        severity: 'warning',
        at: ['token'],
        message: `Browsers accept the cookie \`${token.cookie}\` over HTTPS only, but route \`${plain.name}\` is reached over plain HTTP: pages get no token.`,
        help: 'Serve the route over HTTPS, or trust the proxy in front of gw that does (`trusted_proxies`).',
      });
    if (!token.cookie.startsWith('__Host-') && token.session === undefined)
      report({
        code: 'csrf/insecure-cookie',
        severity: 'warning',
        at: ['token'],
        message: `A subdomain can set the cookie \`${token.cookie}\` to a token that it got itself, because its name has no \`__Host-\` and the token belongs to no session.`,
        help: 'Use a name that begins with `__Host-`, or set `session` to the cookie with the session.',
      });
  },
  compile({ trusted_origins, same_site, require_source, token }) {
    const wildcards = trusted_origins.filter((origin) => origin.includes('*'));
    return {
      origins: trusted_origins.filter((origin) => !origin.includes('*')),
      wildcards: wildcards.map((origin) => {
        const star = origin.indexOf('*');
        return { before: origin.slice(0, star), after: origin.slice(star + 1) };
      }),
      sameSite: same_site,
      requireSource: require_source,
      ...(token === undefined
        ? {}
        : {
            token: {
              secrets: token.secrets,
              cookie: token.cookie,
              header: token.header.toLowerCase(),
              ...(token.session === undefined ? {} : { session: token.session }),
            },
          }),
    };
  },
});
