/** Reads the match of a route, in string or table form, with the prefixes of its groups. */
import type { NormalizeEntry } from '../../bundle/types.js';
import type { Decoder } from '../../schema/decoder.js';
import type { Diagnostic, Span } from '../../schema/diagnostic.js';
import type { ConditionModel, MatchModel, SegmentModel } from '../model.js';
import type { MatchConfig } from '../route-entities.js';
import type { Sources } from '../source.js';
import { onScheme, readConditions, readHosts } from './conditions.js';
import { judgeMethod, parseMatchText } from './match-text.js';
import { type PathProblem, type PathSegment, parsePath } from './path-pattern.js';

/** Mistakes with only one possible meaning: their fix is safe. */
const CLEAR: ReadonlySet<string> = new Set(['path/unknown-type', 'match/method']);

export class MatchReader {
  constructor(
    readonly rules: NormalizeEntry,
    readonly sources: Sources,
  ) {}

  /** Undefined if one of them is invalid. */
  hosts(texts: readonly string[], path: readonly string[], decoder: Decoder): readonly string[] | undefined {
    return readHosts(texts, path, decoder);
  }

  /** Segments of the prefix of a group, which cannot contain a tail. */
  prefix(text: string, decoder: Decoder): SegmentModel[] {
    const span = decoder.spanOf('prefix');
    const { segments, problems } = parsePath(text, this.rules);
    const tail = segments.find((segment) => segment.kind === 'tail');
    const found: PathProblem[] = [...problems];
    if (tail) {
      const message = 'A prefix cannot contain a tail, because a tail matches the rest of the path.';
      const help =
        'Put the tail into the routes of the group, `match = "/{rest...}"`, or use a parameter, `{name}`, here.';
      found.push({ code: 'path/tail-not-last', severity: 'error', start: tail.start, end: tail.end, message, help });
    }
    this.#report(found, span, text, 0, decoder);
    return segments.map((segment) => this.#located(segment, span, text, 0));
  }

  /** Undefined if there are errors, which are in the decoder. */
  match(
    config: string | MatchConfig,
    around: {
      readonly prefix: readonly SegmentModel[];
      readonly prefixText: string;
      readonly hosts: readonly string[];
      readonly scheme: ConditionModel | undefined;
    },
    decoder: Decoder,
  ): MatchModel | undefined {
    const before = decoder.diagnostics.length;
    const isText = typeof config === 'string';
    const text = isText ? config : config.path;
    const span = isText ? decoder.spanOf('match') : decoder.spanOf('match', 'path');
    const short = isText ? parseMatchText(text) : undefined;
    if (short) this.#report(short.problems, span, text, 0, decoder);
    const methods = isText ? (short?.methods ?? []) : this.#methods(config.methods, decoder);
    const path = short?.path ?? text;
    const pathStart = short?.pathStart ?? 0;
    const parsed = parsePath(path, this.rules);
    this.#report(parsed.problems, span, text, pathStart, decoder);
    const own = parsed.segments.map((segment) => this.#located(segment, span, text, pathStart));
    const written = isText ? undefined : config.host;
    const hosts = written === undefined ? around.hosts : this.hosts(written, ['match', 'host'], decoder);
    const scheme =
      isText || config.scheme === undefined
        ? around.scheme
        : onScheme(config.scheme, decoder.spanOf('match', 'scheme'));
    const others = isText ? [] : readConditions(config, decoder, this.sources);
    if (decoder.diagnostics.slice(before).some(({ severity }) => severity === 'error')) return undefined;
    const whole = around.prefixText + (path === '/' && around.prefixText !== '' ? '' : path);
    return {
      text: `${methods.length > 0 ? `${methods.join(',')} ` : ''}${whole}`,
      span: decoder.spanOf('match'),
      hosts: hosts ?? [],
      segments: joined(around.prefix, own),
      methods,
      conditions: scheme === undefined ? others : [scheme, ...others],
    };
  }

  #methods(methods: readonly string[], decoder: Decoder): readonly string[] {
    methods.forEach((method, index) => {
      this.#report(judgeMethod(method, 0), decoder.spanOf('match', 'methods', index), method, 0, decoder);
    });
    return [...new Set(methods)];
  }

  #located(segment: PathSegment, node: Span, text: string, base: number): SegmentModel {
    const span = this.sources.valueSpan(node, text, base + segment.start, base + segment.end);
    switch (segment.kind) {
      case 'literal':
        return { kind: 'literal', text: segment.text, span };
      case 'typed':
        return { kind: 'typed', name: segment.name, type: segment.type, dfa: segment.dfa, span };
      default:
        return { kind: segment.kind, name: segment.name, span };
    }
  }

  #report(problems: readonly PathProblem[], node: Span, text: string, base: number, decoder: Decoder): void {
    for (const problem of problems) {
      const span = this.sources.valueSpan(node, text, base + problem.start, base + problem.end);
      const { code, severity, message, help, instead } = problem;
      // If the span is the whole string, the exact place is unknown and there is no fix.
      const fix: Diagnostic['fix'] | undefined =
        instead === undefined || span === node
          ? undefined
          : {
              title: `Write \`${instead}\``,
              applicability: CLEAR.has(code) ? 'safe' : 'unsafe',
              edits: [{ span, text: instead }],
            };
      decoder.diagnostics.push({
        code,
        severity,
        span,
        message,
        ...(help === undefined ? {} : { help }),
        ...(fix ? { fix } : {}),
      });
    }
  }
}

/** `/` after a prefix is the prefix itself. */
function joined(prefix: readonly SegmentModel[], own: readonly SegmentModel[]): readonly SegmentModel[] {
  const only = own.length === 1 ? own[0] : undefined;
  if (prefix.length > 0 && only?.kind === 'literal' && only.text === '') return prefix;
  return [...prefix, ...own];
}
