/** Compile part of mask. */
import { compilePattern, declarePolicy } from '../compile-kit.js';
import type { PolicyContext } from '../contract.js';
import { DEFAULT_TEXT, type FormSettings } from './forms.js';
import { CODES, lintMask } from './lint.js';
import { readPath } from './paths.js';
import type { PatternEntry } from './pattern.js';
import { PROBLEMS } from './problems.js';
import {
  type LogRuleConfig,
  type LogRuleSettings,
  type MaskConfig,
  type MaskSettings,
  type ReplyRuleConfig,
  type ReplyRuleSettings,
  type RuleConfig,
  type SegmentPlace,
  schema,
} from './schema.js';
import type { FindSettings } from './texts.js';

export default declarePolicy<MaskConfig, MaskSettings>({
  use: 'mask',
  summary: 'Masks private data in replies and in logs',
  phase: 'transform',
  // Its reply hooks come after those of `transform`: what that adds is masked too.
  first: true,
  stateful: false,
  schema,
  codes: CODES,
  problems: Object.values(PROBLEMS),
  replyOnly: () => true,
  requestFacts: () => [],
  body: ({ max_body, reply }) =>
    reply.some(({ headers, paths }) => paths !== undefined || headers === undefined)
      ? { reply: { max: max_body, mandatory: true } }
      : undefined,
  lint: (config, context, report) => lintMask(config, context, report),
  compile(config, context) {
    if (config.reply.length + config.logs.length === 0) return undefined;
    return {
      reply: config.reply.map(replyRule),
      logs: config.logs.map((rule) => logRule(rule, context)),
      lenient: config.on_invalid === 'pass',
      maxEvent: config.max_event,
      textTypes: config.text_types,
    };
  },
});

function replyRule(rule: ReplyRuleConfig): ReplyRuleSettings {
  const { headers = [], paths = [] } = rule;
  return {
    form: formOf(rule),
    find: findOf(rule),
    paths: paths.flatMap((path) => {
      const read = readPath(path);
      return read === undefined ? [] : [read];
    }),
    headers: headers.map((name) => name.toLowerCase()),
  };
}

function logRule(rule: LogRuleConfig, context: PolicyContext): LogRuleSettings {
  const { params = [], query = [] } = rule;
  return {
    form: formOf(rule),
    find: findOf(rule),
    query,
    segments: segmentsOf(params, context),
    everywhere: rule.params === undefined && rule.query === undefined,
  };
}

function formOf({ hash, keep_last, remove, text }: RuleConfig): FormSettings {
  if (remove) return { kind: 'remove' };
  if (hash !== undefined) return { kind: 'hash', key: hash };
  return keep_last === undefined ? { kind: 'text', text: text ?? DEFAULT_TEXT } : { kind: 'keep', last: keep_last };
}

function findOf({ find, patterns }: RuleConfig): FindSettings | null {
  if (find === undefined && patterns === undefined) return null;
  return { kinds: find ?? [], patterns: (patterns ?? []).flatMap((source) => patternEntry(source) ?? []) };
}

/** Undefined for a pattern that lint() reports. */
function patternEntry(source: string): PatternEntry | undefined {
  const compiled = compilePattern(source);
  if (!('dfa' in compiled)) return undefined;
  const { accepts, classCount, classes, dead, next } = compiled.dfa;
  return { accepts, classCount, classes, dead, next };
}

/** A parameter as a whole segment of a path: `{id}`, `{id:int}`, `{rest...}`. */
const PARAMETER = /^\{([A-Za-z_][A-Za-z0-9_]*)(\.\.\.)?/;

/** Where the parameters are in the paths of the routes. */
function segmentsOf(params: readonly string[], { routes }: PolicyContext): LogRuleSettings['segments'] {
  const segments: { [route: string]: readonly SegmentPlace[] } = {};
  if (params.length === 0) return segments;
  for (const { name, path } of routes) {
    const places = path
      .split('/')
      .slice(1)
      .flatMap((segment, index): SegmentPlace[] => {
        const [, parameter, tail] = PARAMETER.exec(segment) ?? [];
        return parameter !== undefined && params.includes(parameter) ? [{ index, tail: tail !== undefined }] : [];
      });
    if (places.length > 0) segments[name] = places;
  }
  return segments;
}
