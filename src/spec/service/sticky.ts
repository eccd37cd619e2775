/** `sticky` of a service. */
import { type Problem, quoted, s } from '../../schema/declare.js';

const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;

function nameProblem(text: string): Problem | undefined {
  if (TOKEN.test(text) && text.length <= 128) return undefined;
  return {
    message: `Expected the name of a cookie, found ${quoted(text)}.`,
    help: 'Use letters, digits, `-` and `_`.',
  };
}

function pathProblem(text: string): Problem | undefined {
  if (/^\/[!-:<-~]*$/.test(text)) return undefined;
  return {
    message: `Expected a path such as \`"/"\`, found ${quoted(text)}.`,
    help: 'Begin it with `/`, without `;`.',
  };
}

function domainProblem(text: string): Problem | undefined {
  if (/^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$/.test(text)) return undefined;
  return {
    message: `Expected a domain such as \`"example.com"\`, found ${quoted(text)}.`,
    help: 'Write only the name.',
  };
}

export const sticky = () =>
  s
    .object({
      key: s
        .reference('a reference such as `"${env:STICKY_KEY}"`', undefined, { sensitive: true })
        .describe('Key of at least 16 bytes that signs the cookie; the same in all gateways.', '${env:STICKY_KEY}'),
      cookie: s
        .string({ nonEmpty: true })
        .check('schema/format', nameProblem)
        .describe('Name of the cookie. Default: `gw-` and the name of the service.', 'gw-orders')
        .optional(),
      max_age: s
        .duration({ min: 60_000 })
        .describe(
          'How long the cookie is valid after a request; it is renewed while the client comes back. Default: until the browser closes.',
          '1d',
        )
        .optional(),
      path: s.string().check('schema/format', pathProblem).describe('Path of the cookie.').default('/'),
      domain: s
        .string()
        .check('schema/format', domainProblem)
        .describe('Domain of the cookie. Default: only the host of the request.', 'example.com')
        .optional(),
      same_site: s
        .enum('lax', 'strict', 'none')
        .describe('SameSite of the cookie. `none` makes it Secure too.')
        .default('lax'),
      secure: s
        .boolean()
        .describe('Whether browsers send the cookie only over https. Default: if the request has come by https.', true)
        .optional(),
    })
    .describe(
      'A signed cookie that keeps the requests of a client at one target, as long as that is available ([docs/balancing.md](balancing.md#sticky-cookie)).',
    )
    .optional();
