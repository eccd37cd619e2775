/** Config of the redirect action. */
import { type Infer, s } from '../../policies/compile-kit.js';
import type { TemplateEntry } from '../../policies/contract.js';

const STATUSES: readonly number[] = [301, 302, 303, 307, 308];

/** What is wrong with a host name or IP address without port; undefined if it is valid. */
const hostProblem = (host: string): string | undefined =>
  /^([\w-]+(\.[\w-]+)*\.?|\[[0-9A-Fa-f:.]+\])$/.test(host)
    ? undefined
    : 'Expected a host name such as `"www.example.com"`, without scheme and port.';

const fields = {
  location: s
    .string({ nonEmpty: true })
    .describe(
      'Where to: a URL, or a path that begins with `/`. A template. Replaces `scheme`, `host`, `port` and `path`.',
      'https://www.example.com/orders/{id}',
    )
    .optional(),
  scheme: s.enum('http', 'https').describe('Scheme of the new URL. Default: that of the request.').optional(),
  host: s
    .string({ nonEmpty: true })
    .check('schema/format', hostProblem)
    .describe('Host of the new URL. Default: that of the request.', 'www.example.com')
    .optional(),
  port: s
    .integer({ min: 1, max: 65_535 })
    .describe('Port of the new URL. Default: that of the scheme.', 8443)
    .optional(),
  path: s
    .string({ nonEmpty: true })
    .describe('Path of the new URL: a template that begins with `/`. Default: that of the request.', '/v2/orders/{id}')
    .optional(),
  status: s
    .integer({ min: 300, max: 399 })
    .check('schema/value', (status) =>
      STATUSES.includes(status) ? undefined : `Expected 301, 302, 303, 307 or 308, found ${status}.`,
    )
    .describe(
      'Status code: 301 and 308 are permanent and remembered by clients; 307 and 308 keep method and body; 303 changes the method to GET.',
    )
    .default(302),
  keep_query: s.boolean().describe('Append the query of the request.').default(true),
};

export const schema = s.object(fields);

export type RedirectConfig = Infer<typeof schema>;

/** `redirect = "/v2/orders"` and `redirect = { scheme = "https", status = 308 }`. */
export const shorthand = s
  .either<RedirectConfig>(
    {
      kinds: ['string'],
      schema: s.mapped(
        s.string({ nonEmpty: true }),
        (location): RedirectConfig => ({
          location,
          scheme: undefined,
          host: undefined,
          port: undefined,
          path: undefined,
          status: 302,
          keep_query: true,
        }),
      ),
    },
    { kinds: ['table'], schema },
  )
  .describe('Redirect to another URL: a location, or a table.', { scheme: 'https', status: 308 });

export type RedirectSettings = {
  readonly status: number;
  readonly location: TemplateEntry;
  readonly keepQuery: boolean;
};
