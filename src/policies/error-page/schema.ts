/** Config of the error-page policy. */
import { type Infer, isFieldName, s } from '../compile-kit.js';
import type { TemplateEntry } from '../contract.js';
import type { Form } from './forms.js';

const STATUS = /^(?:[45]xx|[45][0-9][0-9])$/;

const status = s.either<string>(
  { kinds: ['integer'], schema: s.mapped(s.integer({ min: 400, max: 599 }), String) },
  { kinds: ['string'], schema: s.string({ pattern: STATUS, expected: 'a status such as `404` or `"5xx"`' }) },
);

/** A template: written in the spec, or in a file. */
export type PageText = { readonly text: string } | { readonly file: string };

const page = (what: string, example: string) =>
  s
    .either<PageText>(
      { kinds: ['string'], schema: s.mapped(s.string({ nonEmpty: true }), (text) => ({ text })) },
      {
        kinds: ['table'],
        schema: s.object({
          file: s.string({ nonEmpty: true }).describe('Path of the template, relative to the root spec.', 'error.html'),
        }),
      },
    )
    .describe(`Page for clients that prefer ${what}: a template, or \`{ file = "..." }\`.`, example)
    .optional();

export const schema = s.object({
  statuses: s
    .array(status, { min: 1 })
    .describe('Statuses whose bodies are replaced: numbers from 400 to 599, or classes.', ['5xx'])
    .default(['4xx', '5xx']),
  from: s
    .enum('gateway', 'target', 'all')
    .describe('Whose replies: errors of gw and its policies, replies of targets and of fixed replies, or all.')
    .default('gateway'),
  html: page('HTML', '<h1>{reply.status} {reply.reason}</h1>'),
  json: page('JSON', '{ "error": "{reply.code}" }'),
  text: page('plain text', '{reply.status} {reply.reason}'),
  keep: s
    .array(
      s
        .string({ nonEmpty: true })
        .check('schema/format', (name) =>
          isFieldName(name) ? undefined : `\`${name}\` is not a valid header field name.`,
        ),
    )
    .describe('The only header fields of the replaced reply that stay. Default: all that do not describe its body.')
    .optional(),
});

export type ErrorPageConfig = Infer<typeof schema>;

export type ErrorPageSettings = {
  /** `404`, `5xx`. */
  readonly statuses: readonly string[];
  readonly from: 'gateway' | 'target' | 'all';
  readonly pages: { readonly [form in Form]?: TemplateEntry };
  /** In lower case; null: all. */
  readonly keep: readonly string[] | null;
};
