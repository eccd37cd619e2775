/** Checks of a mask policy. */
import { compilePattern, isFieldText, PATTERN_HELP } from '../compile-kit.js';
import type { ConfigPath, PolicyCode, PolicyContext, PolicyProblem } from '../contract.js';
import { isCovered, type Path, readPath } from './paths.js';
import { type LogRuleConfig, MAX_RULES, type MaskConfig, type ReplyRuleConfig, type RuleConfig } from './schema.js';

type Report = (problem: PolicyProblem) => void;

export const CODES: readonly PolicyCode[] = [
  { code: 'mask/empty', severity: 'error', summary: 'A mask policy has no rule' },
  {
    code: 'mask/rule',
    severity: 'error',
    summary: 'A rule of a mask policy does not say one thing to mask and one form',
  },
  { code: 'mask/pattern', severity: 'error', summary: 'A pattern of a mask policy cannot be used' },
  { code: 'mask/parameter', severity: 'error', summary: 'A mask policy names a path parameter that no route has' },
  { code: 'mask/never', severity: 'warning', summary: 'A rule of a mask policy never takes effect' },
];

export function lintMask(config: MaskConfig, context: PolicyContext, report: Report): void {
  const { logs, reply } = config;
  if (reply.length + logs.length === 0)
    report({
      code: 'mask/empty',
      severity: 'error',
      at: [],
      message: 'This policy has no rule, so it masks nothing.',
      help: 'Add a rule such as `reply = [{ paths = ["user.email"] }]`, or remove the policy.',
    });
  if (reply.length + logs.length > MAX_RULES)
    report({
      code: 'mask/rule',
      severity: 'error',
      at: [reply.length > logs.length ? 'reply' : 'logs'],
      message: `The policy has ${reply.length + logs.length} rules, but at most ${MAX_RULES} are possible.`,
      help: 'Write several paths into one rule.',
    });
  for (const [index, rule] of reply.entries()) lintRule(rule, ['reply', index], replyPlaces(rule), report);
  for (const [index, rule] of logs.entries()) lintRule(rule, ['logs', index], logPlaces(rule), report);
  lintFieldTexts(reply, report);
  lintParameters(logs, context, report);
  lintPaths(reply, report);
  lintNames(reply, 'reply', 'headers', report);
  lintNames(logs, 'logs', 'query', report);
  lintNames(logs, 'logs', 'params', report);
}

const replyPlaces = ({ headers, paths }: ReplyRuleConfig): boolean => headers !== undefined || paths !== undefined;
const logPlaces = ({ params, query }: LogRuleConfig): boolean => params !== undefined || query !== undefined;

function lintRule(rule: RuleConfig, at: ConfigPath, hasPlaces: boolean, report: Report): void {
  const { find, hash, keep_last, patterns, remove, text } = rule;
  if (!hasPlaces && find === undefined && patterns === undefined)
    report({
      code: 'mask/rule',
      severity: 'error',
      at,
      message: 'The rule does not say what to mask.',
      help:
        at[0] === 'reply'
          ? 'Add `paths`, `headers`, `find` or `patterns`.'
          : 'Add `query`, `params`, `find` or `patterns`.',
    });
  const forms = [
    ...(text === undefined ? [] : ['text']),
    ...(keep_last === undefined ? [] : ['keep_last']),
    ...(hash === undefined ? [] : ['hash']),
    ...(remove ? ['remove'] : []),
  ];
  if (forms.length > 1)
    report({
      code: 'mask/rule',
      severity: 'error',
      at: [...at, forms[1]!],
      message: `The rule has \`${forms[0]}\` and \`${forms[1]}\`, but a text is masked in one form.`,
      help: 'Remove one of them.',
      related: [{ at: [...at, forms[0]!], message: 'the other form' }],
    });
  for (const [index, source] of (patterns ?? []).entries()) lintPattern(source, [...at, 'patterns', index], report);
}

function lintPattern(source: string, at: ConfigPath, report: Report): void {
  const compiled = compilePattern(source);
  const pattern = { code: 'mask/pattern', severity: 'error', at } as const;
  if ('error' in compiled) report({ ...pattern, message: compiled.error, help: PATTERN_HELP });
  else if (compiled.dfa.accepts[0] === 1)
    report({
      ...pattern,
      message: `The pattern \`${source}\` also matches an empty text, which is everywhere.`,
      help: 'Write what is there at least once: `+` in place of `*`.',
    });
}

function lintFieldTexts(rules: readonly ReplyRuleConfig[], report: Report): void {
  rules.forEach(({ headers, text }, index) => {
    if (headers === undefined || text === undefined || isFieldText(text)) return;
    report({
      code: 'mask/rule',
      severity: 'error',
      at: ['reply', index, 'text'],
      message: 'The value of a header field may contain only printable ASCII and tabs.',
      help: 'Use another text, or another rule for bodies.',
    });
  });
}

function lintParameters(rules: readonly LogRuleConfig[], { routes }: PolicyContext, report: Report): void {
  if (routes.length === 0) return;
  rules.forEach(({ params = [] }, index) => {
    params.forEach((name, at) => {
      if (routes.some((route) => route.params.includes(name))) return;
      report({
        code: 'mask/parameter',
        severity: 'error',
        at: ['logs', index, 'params', at],
        message: `No route with this policy has the path parameter \`${name}\`, so nothing would be masked.`,
        help: 'Correct the name: it is the one in braces in the path of a route.',
      });
    });
  });
}

// ---------------------------------------------------------------- rules without effect

interface PathPlace {
  readonly path: Path;
  readonly written: string;
  readonly at: ConfigPath;
  readonly whole: boolean;
}

function lintPaths(rules: readonly ReplyRuleConfig[], report: Report): void {
  const places: PathPlace[] = rules.flatMap(({ find, paths = [], patterns }, index) =>
    paths.flatMap((written, step) => {
      const path = readPath(written);
      const whole = find === undefined && patterns === undefined;
      return path === undefined ? [] : [{ path, written, at: ['reply', index, 'paths', step], whole }];
    }),
  );
  for (const [index, place] of places.entries()) {
    const other = places.find(
      (one, at) => at !== index && one.whole && isCovered(place.path, one.path) && (at < index || !isSame(place, one)),
    );
    if (other === undefined) continue;
    report({
      code: 'mask/never',
      severity: 'warning',
      at: place.at,
      message: `\`${place.written}\` never takes effect: \`${other.written}\` masks all of it.`,
      help: 'Remove one of the paths.',
      related: [{ at: other.at, message: 'the path that masks it' }],
    });
  }
}

/** Of two that mask the same, the first one counts. */
const isSame = (a: PathPlace, b: PathPlace): boolean =>
  a.whole && isCovered(a.path, b.path) && isCovered(b.path, a.path);

type Listed<Key extends string> = RuleConfig & { readonly [key in Key]?: readonly string[] | undefined };

function lintNames<Key extends string>(
  rules: readonly Listed<Key>[],
  side: 'reply' | 'logs',
  key: Key,
  report: Report,
): void {
  const seen = new Map<string, ConfigPath>();
  rules.forEach((rule, index) => {
    const { find, patterns } = rule;
    rule[key]?.forEach((written: string, step: number) => {
      const name = key === 'headers' ? written.toLowerCase() : written;
      const at = [side, index, key, step];
      const first = seen.get(name);
      if (first !== undefined)
        report({
          code: 'mask/never',
          severity: 'warning',
          at,
          message: `\`${written}\` never takes effect: another rule masks all of it.`,
          help: 'Remove one of them.',
          related: [{ at: first, message: 'the rule that masks it' }],
        });
      else if (find === undefined && patterns === undefined) seen.set(name, at);
    });
  });
}
