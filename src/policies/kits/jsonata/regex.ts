/**
 * Regular expressions of programs, run in time linear in the text. The syntax is RE2's: no lookaround and no
 * backreferences; `\\s`, `\\w`, `\\d` and `\\b` are about ASCII.
 */
import { createRequire } from 'node:module';
import type { RE2JS } from 're2js';
import type { Budget } from './budget.js';

type Re2 = typeof RE2JS;

/** Larger ones are refused, because the time for a character grows with it. */
const MAX_PROGRAM_SIZE = 2000;

export class LinearRegex {
  readonly #compiled: RE2JS;
  readonly #size: number;

  /** Throws an error whose message says what is not supported. */
  constructor(regex: RegExp) {
    const { RE2JS: engine } = createRequire(import.meta.url)('re2js') as { readonly RE2JS: Re2 };
    let flags = 0;
    if (regex.flags.includes('i')) flags |= engine.CASE_INSENSITIVE;
    if (regex.flags.includes('m')) flags |= engine.MULTILINE;
    this.#compiled = engine.compile(translate(regex.source), flags);
    this.#size = this.#compiled.programSize();
    if (this.#size > MAX_PROGRAM_SIZE) throw new Error('it is too large');
  }

  /** The first match at or after `from`, as RegExp.exec returns it. */
  find(text: string, from: number, budget: Budget): RegExpMatch | null {
    if (from > text.length) return null;
    // Each search may read to the end of the text.
    budget.spendCharacters((text.length - from) * Math.min(this.#size, MAX_PROGRAM_SIZE));
    const matcher = this.#compiled.matcher(text);
    if (!matcher.find(from)) return null;
    const groups: (string | undefined)[] = [];
    for (let group = 0; group <= matcher.groupCount(); group++) groups.push(matcher.group(group) ?? undefined);
    return { index: matcher.start(), end: matcher.end(), groups };
  }
}

export interface RegExpMatch {
  readonly index: number;
  readonly end: number;
  /** The whole match, then its groups. */
  readonly groups: readonly (string | undefined)[];
}

/** From the syntax of JavaScript to that of RE2: `\\uHHHH` and `\\cX`, and `[^]`. */
function translate(source: string): string {
  return source.replace(/\\(?:u([0-9a-fA-F]{4})|c([A-Za-z])|[\s\S])|\[\^\]/g, (all, hex?: string, control?: string) => {
    if (hex !== undefined) return `\\x{${hex}}`;
    if (control !== undefined) return `\\x{${(control.charCodeAt(0) & 0x1f).toString(16)}}`;
    return all === '[^]' ? '(?s:.)' : all;
  });
}

/** What the library makes with `new` for each literal that it evaluates. */
export interface RegexEngine {
  lastIndex: number;
  exec(text: string): (RegExpExecArray | string[]) | null;
}
