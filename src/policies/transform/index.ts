/** Compile part of transform. */
import { declarePolicy } from '../compile-kit.js';
import type { Json } from '../contract.js';
import { compileEdits, isEmptyEdits, ownedNames, templateOf } from '../kits/field-edits-schema.js';
import type { MemberSettings } from './body/members.js';
import type { BodySettings } from './body/side.js';
import { factsOf } from './facts.js';
import { CODES, lintTransform } from './lint.js';
import { memberSettings } from './member-value.js';
import { ruleSettings } from './path-rules.js';
import { PROBLEMS } from './problems.js';
import {
  type BodyConfig,
  pathRules,
  type ReplyConfig,
  type RequestConfig,
  schema,
  type TransformConfig,
  type TransformSettings,
} from './schema.js';

export default declarePolicy<TransformConfig, TransformSettings>({
  use: 'transform',
  summary: 'Rewrites requests and replies: path, query, fields, cookies, status, links and bodies',
  phase: 'transform',
  stateful: false,
  schema,
  problems: Object.values(PROBLEMS),
  codes: CODES,
  body: ({ request, reply }) => ({
    ...(request.body === undefined ? {} : { request: boundOf(request.body) }),
    ...(reply.body === undefined ? {} : { reply: boundOf(reply.body) }),
  }),
  replyOnly: ({ request }) => Object.keys(compileRequest(request)).length === 0,
  requestFacts: factsOf,
  traits: ({ request }) => ({ ownsRequestFields: [...ownedNames(request.headers)] }),
  lint: lintTransform,
  compile(config) {
    const settings = { request: compileRequest(config.request), reply: compileReply(config.reply) };
    const parts = Object.keys(settings.request).length + Object.keys(settings.reply).length;
    return parts === 0 ? undefined : settings;
  },
});

/** Bodies that may pass unchanged need not reach the hook. */
const boundOf = ({ max_body, on_invalid }: BodyConfig) => ({ max: max_body, mandatory: on_invalid === 'fail' });

function compileBody({
  from,
  to,
  xml_arrays,
  jsonata,
  links = [],
  max_body,
  on_invalid,
  other_types,
  ...simple
}: BodyConfig): BodySettings {
  const { pick, omit, rename, set } = simple;
  const forms = {
    ...(pick === undefined ? {} : { pick }),
    ...(omit.length === 0 ? {} : { omit }),
    ...(Object.keys(rename).length === 0 ? {} : { rename }),
    ...(Object.keys(set).length === 0 ? {} : { set: members(set) }),
  };
  return {
    from,
    to: to ?? from,
    ...(xml_arrays.length === 0 ? {} : { arrays: xml_arrays }),
    ...(jsonata === undefined ? {} : { jsonata }),
    ...(Object.keys(forms).length === 0 ? {} : { simple: forms }),
    ...(links.length === 0 ? {} : { links }),
    invalid: on_invalid,
    other: other_types,
    max: max_body,
  };
}

const members = (set: BodyConfig['set']): { readonly [path: string]: MemberSettings } =>
  Object.fromEntries(Object.entries(set).map(([path, value]) => [path, memberSettings(value)]));

type Templates = readonly (readonly [string, readonly Json[]])[];

const templates = (values: { readonly [name: string]: Parameters<typeof templateOf>[0] }): Templates =>
  Object.entries(values).map(([name, value]) => [name, templateOf(value)]);

function compileRequest(request: RequestConfig): TransformSettings['request'] {
  const rules = pathRules(request);
  const { query, cookies, headers, body } = request;
  const allow = (names: readonly string[] | undefined) => (names === undefined ? {} : { allow: names });
  return {
    ...(rules.length === 0 ? {} : { path: rules.map(({ from, to }) => ruleSettings(from, to)) }),
    ...(isEmpty(query)
      ? {}
      : {
          query: {
            ...allow(query.allow),
            remove: query.remove,
            rename: Object.entries(query.rename),
            set: templates(query.set),
            add: templates(query.add),
          },
        }),
    ...(isEmptyEdits(headers) ? {} : { headers: compileEdits(headers) }),
    ...(isEmpty(cookies)
      ? {}
      : {
          cookies: {
            ...allow(cookies.allow),
            remove: cookies.remove,
            rename: Object.entries(cookies.rename),
            set: templates(cookies.set),
          },
        }),
    ...(body === undefined ? {} : { body: compileBody(body) }),
  };
}

const SAME_SITE = { strict: 'Strict', lax: 'Lax', none: 'None' } as const;

function compileReply({ status, links, cookies, headers, body }: ReplyConfig): TransformSettings['reply'] {
  const statuses = Object.entries(status);
  return {
    ...(statuses.length === 0 ? {} : { status: statuses }),
    ...(links === undefined ? {} : { links: { auto: links.auto, map: mappings(links.map) } }),
    ...(cookies === undefined
      ? {}
      : {
          cookies: {
            remove: cookies.remove,
            ...(cookies.names === undefined ? {} : { names: cookies.names }),
            ...(cookies.path === undefined ? {} : { path: cookies.path }),
            ...(cookies.domain === undefined ? {} : { domain: cookies.domain }),
            ...(cookies.secure === undefined ? {} : { secure: cookies.secure }),
            ...(cookies.http_only === undefined ? {} : { httpOnly: cookies.http_only }),
            ...(cookies.same_site === undefined ? {} : { sameSite: SAME_SITE[cookies.same_site] }),
          },
        }),
    ...(isEmptyEdits(headers) ? {} : { headers: compileEdits(headers) }),
    ...(body === undefined ? {} : { body: compileBody(body) }),
  };
}

/** Without a slash at the end, so that `/a` and `/a/` mean the same; the longest first. */
const mappings = (map: { readonly [from: string]: string }): readonly (readonly [string, string])[] =>
  Object.entries(map)
    .map(([from, to]) => [from.replace(/\/$/, ''), to.replace(/\/$/, '')] as const)
    .sort(([a], [b]) => b.length - a.length || (a < b ? -1 : 1));

/** Whether a table of edits has none. An empty `allow` removes everything. */
const isEmpty = ({ allow, remove, ...values }: RequestConfig['query'] | RequestConfig['cookies']): boolean =>
  allow === undefined && remove.length === 0 && Object.values(values).every((value) => Object.keys(value).length === 0);
