/** Config of the transform policy. */
import { type Infer, isFieldName, isFieldText, s } from '../compile-kit.js';
import { editKeys, renameKey } from '../kits/field-edits-schema.js';
import type { BodySettings } from './body/side.js';
import type { ReplySettings, RequestSettings } from './edits/sides.js';
import { memberSchema, templateText } from './member-value.js';

const name = (what: string) => s.string({ nonEmpty: true }).describe(what);

const cookieProblem = (cookie: string): string | undefined =>
  isFieldName(cookie) ? undefined : `\`${cookie}\` is not a valid name of a cookie.`;
const cookieName = s.string({ nonEmpty: true }).check('schema/format', cookieProblem);

const pathTemplate = s.string({ nonEmpty: true });
const pathRule = s.object({
  from: s
    .string({ nonEmpty: true })
    .describe(
      'Pattern for the path that the target would get: literals, `{name}` for a part of a segment, and as last segment `{rest...}`.',
      '/report-{year}.{format}',
    )
    .optional(),
  to: pathTemplate.describe(
    'Path for the target: a template, which may use what the pattern has captured.',
    '/v2/{id}',
  ),
});

export interface PathRuleConfig {
  readonly from?: string | undefined;
  readonly to: string;
}

/** A text, a table, or a list of tables. */
const path = s.either<string | PathRuleConfig | readonly PathRuleConfig[]>(
  { kinds: ['string'], schema: pathTemplate },
  { kinds: ['table'], schema: pathRule },
  { kinds: ['array'], schema: s.array(pathRule, { min: 1 }) },
);

const query = s.object({
  allow: s
    .array(name('The name of a parameter.'))
    .describe('The only parameters that are kept. Default: all.', ['page', 'limit'])
    .optional(),
  remove: s.array(name('The name of a parameter.')).describe('Parameters to remove.', ['debug']).default([]),
  rename: s
    .map(name('The new name.'))
    .describe('Parameters to give another name, in place of a parameter that has it.', { q: 'search' })
    .default({}),
  set: s
    .map(templateText)
    .describe('Parameters to set or replace. Values are templates; an empty result removes the parameter.', {
      tenant: '{consumer.name}',
    })
    .default({}),
  add: s
    .map(templateText)
    .describe('Parameters to add, in addition to those of that name. Values are templates.')
    .default({}),
});

const cookies = s.object({
  allow: s.array(cookieName).describe('The only cookies that are kept. Default: all.', ['session']).optional(),
  remove: s.array(cookieName).describe('Cookies to remove.', ['tracking']).default([]),
  rename: s
    .map(cookieName, cookieProblem)
    .describe('Cookies to give another name, in place of a cookie that has it.', { sid: 'SESSION' })
    .default({}),
  set: s
    .map(templateText, cookieProblem)
    .describe('Cookies to set or replace. Values are templates, percent-encoded; an empty result removes the cookie.', {
      lang: '{request.header.accept-language}',
    })
    .default({}),
});

const attribute = (text: string): string | undefined =>
  isFieldText(text) && !/[;,]/.test(text)
    ? undefined
    : 'An attribute of a cookie must not contain `;`, `,` or control characters.';

const setCookies = s.object({
  remove: s.array(cookieName).describe('Cookies that the client does not get.', ['debug']).default([]),
  names: s
    .array(cookieName, { min: 1 })
    .describe('The cookies whose attributes are changed. Default: all.', ['session'])
    .optional(),
  path: s
    .string({ pattern: /^\/[\x20-\x3a\x3c-\x7e]*$/, expected: 'a path such as `"/shop"`' })
    .describe('`Path` of the cookies.', '/shop')
    .optional(),
  domain: s
    .string()
    .check('schema/format', attribute)
    .describe('`Domain` of the cookies; `""` removes it, so that only the host itself gets them.', 'example.com')
    .optional(),
  secure: s.boolean().describe('Whether the cookies have `Secure`. Default: as the target says.').optional(),
  http_only: s.boolean().describe('Whether the cookies have `HttpOnly`. Default: as the target says.').optional(),
  same_site: s.enum('strict', 'lax', 'none').describe('`SameSite` of the cookies.', 'lax').optional(),
});

const PLACE = /^(https?:\/\/[^/?#\s;,<>"]+)?(\/[^?#\s;,<>"]*)?$/i;

const placeProblem = (text: string): string | undefined => {
  if (text === '' || !PLACE.test(text))
    return 'Expected an origin, a path, or both: `http://orders.internal:8080/app`.';
  const origin = /^https?:\/\/[^/]+/i.exec(text)?.[0];
  if (origin === undefined) return undefined;
  if (!URL.canParse(origin)) return `\`${origin}\` is not the origin of a URL.`;
  return new URL(origin).username === '' ? undefined : 'The origin must not contain credentials.';
};

const links = s.object({
  auto: s
    .boolean()
    .describe(
      'Map what the target and the route tell: the origin and base path of the target, and a prefix that the route removes from the path or puts in front of it.',
    )
    .default(true),
  map: s
    .map(s.string({ nonEmpty: true }).check('schema/format', placeProblem), placeProblem)
    .describe('Further places of the target, each with the public place. The longest one decides.', {
      'http://legacy.internal': 'https://shop.example/legacy',
    })
    .default({}),
});

const statusKey = (text: string): string | undefined => {
  if (!/^[2-5](\d\d|XX)$/.test(text)) return 'Expected a status such as `404`, or a class such as `5XX`.';
  return text === '205' || text === '206' || text === '304'
    ? `A reply with status ${text} cannot get another one.`
    : undefined;
};

const statuses = s
  .map(
    s
      .integer({ min: 200, max: 599 })
      .check('schema/range', (status) =>
        [205, 206, 304].includes(status)
          ? `A reply cannot get status ${status}: its body would not fit it.`
          : undefined,
      ),
    statusKey,
  )
  .describe('Statuses of the target, or classes of them (`5XX`), each with the one that the client gets.', { 404: 410 })
  .default({});

const MIB = 1024 * 1024;

const paths = (doc: string, ...examples: string[]) => s.array(s.string({ nonEmpty: true })).describe(doc, examples);

const FORMATS = ['json', 'form', 'xml'] as const;

const bodyFields = (whose: string) => ({
  from: s
    .enum(...FORMATS)
    .describe('Format that is read: JSON, a form (`application/x-www-form-urlencoded`) or XML.')
    .default('json'),
  to: s
    .enum(...FORMATS)
    .describe('Format that is written. Default: the one that is read.', 'json')
    .optional(),
  xml_arrays: s
    .array(
      s.string({
        pattern: /^[^.\s]+(\.[^.\s]+)*$/,
        expected: 'names of elements with dots, such as `"order.items.item"`',
      }),
    )
    .describe('Elements of XML that are lists also if they occur once, as names from the root.', ['order.items.item'])
    .default([]),
  jsonata: s
    .string({ nonEmpty: true })
    .describe(
      'A program in JSONata, whose result takes the place of the body.',
      '{ "id": order.id, "total": $sum(order.lines.(price * amount)) }',
    )
    .optional(),
  pick: paths('The only members that are kept, by paths.', 'id', 'items[*].name').optional(),
  omit: paths('Members to remove, by paths.', 'user.password').default([]),
  rename: s
    .map(s.string({ nonEmpty: true }))
    .describe('Members to give another name in the same object, by paths.', { 'user.mail': 'email' })
    .default({}),
  set: s
    .map(memberSchema)
    .describe(
      'Members to set or replace, by paths. A text is a template, also in lists and tables; an empty result becomes `null`.',
      { 'meta.tenant': '{consumer.name}' },
    )
    .default({}),
  on_invalid: s
    .enum('fail', 'pass')
    .describe(
      `What becomes of a body that cannot be read or transformed: \`fail\` answers ${whose === 'request' ? 400 : 502}, \`pass\` passes it on unchanged.`,
    )
    .default('fail'),
  other_types: s
    .enum('pass', 'fail')
    .describe(
      `What becomes of a body with another media type: \`pass\` passes it on unchanged, \`fail\` answers ${whose === 'request' ? 415 : 502}.`,
    )
    .default('pass'),
  max_body: s
    .size({ min: 1 })
    .describe('Largest body that is transformed. In a stream, that of a line or an event.')
    .default(MIB),
});

const requestBody = s.object(bodyFields('request'));
const replyBody = s.object({
  ...bodyFields('reply'),
  links: paths(
    'Members with URLs, by paths, which are rewritten like those of `reply.links`.',
    'next',
    'items[*].href',
  ).default([]),
});

const NO_QUERY = { allow: undefined, remove: [], rename: {}, set: {}, add: {} };
const NO_EDITS = { set: {}, add: {}, remove: [], rename: {} };

const request = s.object({
  path: path
    .describe(
      'Path for the target: a template with the path parameters, or one or more rules with `from` and `to`, of which the first that matches counts.',
      '/v2/orders/{id}',
    )
    .optional(),
  query: query
    .describe('Edits of the query: `allow`, `remove`, `rename`, `set`, `add`, in this order.')
    .default(NO_QUERY),
  headers: s
    .object({ ...editKeys('transform', 'request'), rename: renameKey('transform', 'request') })
    .describe('Edits of the header fields: `remove`, `rename`, `set`, `add`, in this order.')
    .default(NO_EDITS),
  cookies: cookies
    .describe('Edits of the cookies: `allow`, `remove`, `rename`, `set`, in this order.')
    .default({ allow: undefined, remove: [], rename: {}, set: {} }),
  body: requestBody.describe('Transforms the body of the request.').optional(),
});

const reply = s.object({
  status: statuses,
  links: links
    .describe(
      'Rewrites `Location`, `Content-Location`, `Link`, `Refresh`, and `Path` and `Domain` of cookies from the place of the target to the public one.',
    )
    .optional(),
  cookies: setCookies.describe('Edits of `Set-Cookie`.').optional(),
  headers: s
    .object({ ...editKeys('transform', 'reply'), rename: renameKey('transform', 'reply') })
    .describe('Edits of the header fields: `remove`, `rename`, `set`, `add`, in this order.')
    .default(NO_EDITS),
  body: replyBody.describe('Transforms the body of the reply.').optional(),
});

export const schema = s.object({
  request: request.describe('Edits of the request, before it goes to the target.').default({
    path: undefined,
    query: NO_QUERY,
    headers: NO_EDITS,
    cookies: { allow: undefined, remove: [], rename: {}, set: {} },
    body: undefined,
  }),
  reply: reply.describe("Edits of the target's reply. Errors of gw itself are not edited.").default({
    status: {},
    links: undefined,
    cookies: undefined,
    headers: NO_EDITS,
    body: undefined,
  }),
});

export type TransformConfig = Infer<typeof schema>;
export type RequestConfig = TransformConfig['request'];
export type ReplyConfig = TransformConfig['reply'];
export type BodyConfig = Infer<typeof requestBody> & Partial<Infer<typeof replyBody>>;

/** The rules of `request.path`, in the form that has everything. */
export function pathRules({ path: given }: RequestConfig): readonly PathRuleConfig[] {
  if (given === undefined) return [];
  if (typeof given === 'string') return [{ to: given }];
  return 'to' in given ? [given] : given;
}

/** Absent bodies stay as they are. */
export type TransformSettings = {
  readonly request: RequestSettings & { readonly body?: BodySettings };
  readonly reply: ReplySettings & { readonly body?: BodySettings };
};
