/** Reads hosts, and conditions on the scheme, headers and the query. */
import { domainToASCII } from 'node:url';
import { isToken } from '../../field-syntax.js';
import type { Decoder } from '../../schema/decoder.js';
import type { Span } from '../../schema/diagnostic.js';
import { compilePattern, PATTERN_HELP } from '../../schema/regex/regex.js';
import type { ConditionModel, TestModel } from '../model.js';
import type { ConditionConfig, MatchConfig, Scheme } from '../route-entities.js';
import type { Sources } from '../source.js';

const LABEL = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?$/;

/** The host in lower case without a final dot; undefined if invalid, which is reported. */
function readHost(text: string, path: readonly (string | number)[], decoder: Decoder): string | undefined {
  const fail = (message: string, help?: string): undefined => {
    decoder.error('match/host', decoder.spanOf(...path), message, help === undefined ? {} : { help });
  };
  const wildcard = text.startsWith('*.');
  const name = (wildcard ? text.slice(2) : text).replace(/\.$/, '').toLowerCase();
  if (/^\[[0-9a-f:.]+\]$/.test(name) && !wildcard) return name;
  if (/:\d*$/.test(name))
    return fail(
      'A host in a match cannot have a port.',
      'Remove the port. To serve a route on certain ports only, set `listeners = ["NAME"]`.',
    );
  if (name.includes('*')) {
    return fail(
      'A wildcard is allowed only for whole labels at the beginning: `*.example.com`.',
      name === '*' ? 'For any host, remove `host`.' : 'List the hosts one by one: `host = ["a.example", "b.example"]`.',
    );
  }
  // Characters that end a host in a URL or would be decoded are not allowed.
  const ascii = /[/\\?#@%\s]/.test(name) ? '' : domainToASCII(name);
  if (ascii === '' || !ascii.split('.').every((label) => label.length <= 63 && LABEL.test(label))) {
    return fail(
      `\`${text}\` is not a valid host name.`,
      'Write `api.example.com`, or `*.example.com` for all its subdomains.',
    );
  }
  return wildcard ? `*.${ascii}` : ascii;
}

/** Each host once, as from readHost; undefined if one is invalid. A repeated host is a warning. */
export function readHosts(texts: readonly string[], path: readonly string[], decoder: Decoder): string[] | undefined {
  const hosts = new Set<string>();
  let valid = true;
  for (const [index, text] of texts.entries()) {
    const host = readHost(text, [...path, index], decoder);
    if (host === undefined) valid = false;
    else if (!hosts.has(host)) hosts.add(host);
    else {
      const span = decoder.spanOf(...path, index);
      const message = `\`${host}\` is listed twice.`;
      decoder.diagnostics.push({
        code: 'match/repeated-host',
        severity: 'warning',
        span,
        message,
        help: 'Remove one of them.',
      });
    }
  }
  return valid ? [...hosts] : undefined;
}

/** The condition on the scheme that is set at `span`. */
export const onScheme = (scheme: Scheme, span: Span): ConditionModel => {
  return { on: 'scheme', name: '', test: { op: 'equals', value: scheme }, span };
};

/** Header conditions first, then those on the query, each in the order they are written. */
export function readConditions(config: MatchConfig, decoder: Decoder, sources: Sources): ConditionModel[] {
  const conditions: ConditionModel[] = [];
  for (const [on, key, tests] of [
    ['header', 'headers', config.headers],
    ['query', 'query', config.query],
  ] as const) {
    // The first spelling of each field name in the spec.
    const spelled = new Map<string, string>();
    for (const [name, test] of Object.entries(tests)) {
      const path = ['match', key, name];
      if (on === 'header' && !isToken(name)) {
        decoder.error(
          'match/header-name',
          decoder.keySpanOf(...path),
          `\`${name}\` is not a valid header field name.`,
          {
            help: 'Use letters, digits and `-`, such as `x-beta`.',
          },
        );
        continue;
      }
      const lower = on === 'header' ? name.toLowerCase() : name;
      const twin = spelled.get(lower);
      if (twin !== undefined) {
        decoder.error(
          'match/header-twice',
          decoder.keySpanOf(...path),
          `\`${twin}\` and \`${name}\` name the same header field: case makes no difference.`,
          {
            related: [{ span: decoder.keySpanOf('match', key, twin), message: 'the other condition' }],
            help: 'Remove one of them. For several values, use `one_of = ["a", "b"]` or several routes.',
          },
        );
        continue;
      }
      const model = readTest(test, path, decoder, sources);
      if (model) spelled.set(lower, name);
      if (model) conditions.push({ on, name: lower, test: model, span: decoder.spanOf(...path) });
    }
  }
  return conditions;
}

function readTest(config: ConditionConfig, path: string[], decoder: Decoder, sources: Sources): TestModel | undefined {
  const given = Object.entries(config).filter(([, value]) => value !== undefined);
  if (given.length !== 1) {
    const names = Object.keys(config).map((name) => `\`${name}\``);
    const found = given.length === 0 ? 'none' : given.map(([name]) => `\`${name}\``).join(' and ');
    decoder.error(
      'schema/one-of',
      decoder.spanOf(...path),
      `Expected exactly one test in a condition, found ${found}.`,
      {
        help: `Use one of ${names.join(', ')}. For two tests of the same name, use two routes or one \`matches\`.`,
      },
    );
    return undefined;
  }
  if (config.equals !== undefined) return { op: 'equals', value: config.equals };
  if (config.one_of !== undefined) return { op: 'one-of', values: config.one_of };
  if (config.prefix !== undefined) return { op: 'prefix', value: config.prefix };
  if (config.matches !== undefined) return readPattern(config.matches, [...path, 'matches'], decoder, sources);
  return { op: (config.present ?? config.absent === false) ? 'present' : 'absent' };
}

function readPattern(source: string, path: string[], decoder: Decoder, sources: Sources): TestModel | undefined {
  const compiled = compilePattern(source);
  if ('dfa' in compiled) return { op: 'matches', dfa: compiled.dfa };
  const at = Math.min(compiled.offset, source.length - 1);
  decoder.error('pattern/invalid', sources.valueSpan(decoder.spanOf(...path), source, at, at + 1), compiled.error, {
    help: PATTERN_HELP,
  });
  return undefined;
}
