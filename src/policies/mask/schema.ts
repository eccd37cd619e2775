/** Config of the mask policy. */
import { fieldProblem, type Infer, s, secretReference } from '../compile-kit.js';
import { DEFAULT_TEXT, type FormSettings } from './forms.js';
import { KINDS } from './kinds.js';
import { MAX_STEPS, type Path, readPath } from './paths.js';
import type { FindSettings } from './texts.js';

/** Bounds the work for each member of a document. */
export const MAX_RULES = 100;

const pathProblem = (text: string): string | undefined =>
  readPath(text) === undefined
    ? `\`${text}\` is not a path such as \`user.email\`, \`cards[*].number\` or \`**.password\`, of at most ${MAX_STEPS} steps.`
    : undefined;

const fieldName = (text: string): string | undefined => fieldProblem(text);

const names = (what: string, example: readonly string[]) =>
  s
    .array(s.string({ nonEmpty: true }), { min: 1 })
    .describe(what, [...example])
    .optional();

/** What is looked for, and how it is masked: of replies and of logs. */
const common = {
  find: s
    .array(s.enum(...KINDS), { min: 1 })
    .describe(
      'Kinds of texts: addresses of `email`, numbers of payment cards (`card`, with a right check digit), bank accounts (`iban`).',
      ['email', 'card'],
    )
    .optional(),
  patterns: names('Regular expressions for texts, without backtracking.', ['tok_[a-z0-9]{16,}']),
  text: s.string().describe(`Text that replaces it. Default: \`${DEFAULT_TEXT}\`.`, '[private]').optional(),
  keep_last: s
    .integer({ min: 1, max: 64 })
    .describe('Keeps so many characters at the end, and replaces each other one by `*`.', 4)
    .optional(),
  hash: secretReference('a key')
    .describe('Replaces it by a keyed hash: a reference to a key of at least 16 bytes.', '${env:MASK_KEY}')
    .optional(),
  remove: s.boolean().describe('Removes it.', true).default(false),
};

const replyRule = s.object({
  paths: s
    .array(s.string({ nonEmpty: true }).check('schema/format', pathProblem), { min: 1 })
    .describe('Members of JSON bodies. With `find` or `patterns`, only what they find in them.', [
      'user.email',
      'cards[*].number',
    ])
    .optional(),
  headers: s
    .array(s.string({ nonEmpty: true }).check('schema/format', fieldName), { min: 1 })
    .describe('Header fields of replies. With `find` or `patterns`, only what they find in them.', ['x-user-email'])
    .optional(),
  ...common,
});

const logRule = s.object({
  query: names('Query parameters. With `find` or `patterns`, only what they find in them.', ['email', 'token']),
  params: names('Path parameters. With `find` or `patterns`, only what they find in them.', ['email']),
  ...common,
});

export const schema = s.object({
  reply: s
    .array(replyRule)
    .describe('Rules for replies. A rule without `paths` and `headers` is for all texts of bodies.', [
      { paths: ['**.password'], remove: true },
    ])
    .default([]),
  logs: s
    .array(logRule)
    .describe(
      'Rules for the access log and the records of the dashboard. A rule without `query` and `params` is for all texts.',
      [{ query: ['email'] }],
    )
    .default([]),
  on_invalid: s
    .enum('refuse', 'pass')
    .describe(
      'What happens to a body that cannot be read: `refuse` answers 502, `pass` sends it with its texts masked.',
    )
    .default('refuse'),
  max_body: s
    .size({ min: 1, max: 64 * 1024 ** 2 })
    .describe('Largest body that is masked; larger ones get 502. Bodies in lines and events have no bound.')
    .default(1024 * 1024),
  max_event: s
    .size({ min: 1, max: 16 * 1024 ** 2 })
    .describe('Longest line or event of a body that is masked as it streams.')
    .default(64 * 1024),
  text_types: s
    .array(
      s.string({
        pattern: /^[a-z0-9!#$&^_.+-]+\/[a-z0-9!#$&^_.+*-]+$/,
        expected: 'a media type in lower case such as `"text/html"` or `"text/*"`',
      }),
    )
    .describe('Media types of texts, besides JSON, in which rules without `paths` and `headers` look.')
    .default(['text/*', 'application/xml', 'application/*+xml', 'application/javascript']),
});

export type MaskConfig = Infer<typeof schema>;
export type ReplyRuleConfig = MaskConfig['reply'][number];
export type LogRuleConfig = MaskConfig['logs'][number];
/** What rules of replies and of logs have in common. */
export type RuleConfig = Pick<ReplyRuleConfig, keyof typeof common>;

/** `find` is null for a rule that masks all of its places. */
type RuleSettings = { readonly form: FormSettings; readonly find: FindSettings | null };

export type ReplyRuleSettings = RuleSettings & {
  readonly paths: readonly Path[];
  /** Lower case. */
  readonly headers: readonly string[];
};

/** Segments of the path of a route: one, or all from it on. */
export type SegmentPlace = { readonly index: number; readonly tail: boolean };

export type LogRuleSettings = RuleSettings & {
  readonly query: readonly string[];
  /** By route. */
  readonly segments: { readonly [route: string]: readonly SegmentPlace[] };
  /** Whether it is for all texts. */
  readonly everywhere: boolean;
};

export type MaskSettings = {
  readonly reply: readonly ReplyRuleSettings[];
  readonly logs: readonly LogRuleSettings[];
  readonly lenient: boolean;
  /** Bytes. */
  readonly maxEvent: number;
  readonly textTypes: readonly string[];
};
