/** Masks parts of texts that kinds and patterns find. */
import { type Form, type FormSettings, formOf } from './forms.js';
import { type Find, findKind, type Kind, type Spans } from './kinds.js';
import { type PatternEntry, PatternFinder } from './pattern.js';

/** What is looked for in texts. */
export type FindSettings = { readonly kinds: readonly Kind[]; readonly patterns: readonly PatternEntry[] };

/** What is found, and its form. */
export interface TextRule {
  readonly finds: readonly Find[];
  readonly form: Form;
}

export const textRule = ({ kinds, patterns }: FindSettings, form: FormSettings): TextRule => ({
  finds: [...kinds.map((kind) => findKind[kind]), ...patterns.map((entry) => new PatternFinder(entry).find)],
  form: formOf(form),
});

/** A part of a text that is masked. */
interface Part {
  readonly start: number;
  end: number;
  readonly form: Form;
}

/** Masks what some of the rules find. Of rules that find overlapping parts, the form of the one that begins first counts. */
export class TextMask {
  readonly #rules: readonly TextRule[];

  constructor(rules: readonly TextRule[]) {
    this.#rules = rules;
  }

  /** The masked text; undefined if nothing is found. */
  mask(text: string): string | undefined {
    let parts: Part[] | undefined;
    for (const { finds, form } of this.#rules)
      for (const find of finds) {
        const found: Spans = [];
        find(text, found);
        for (const [start, end] of found) {
          parts ??= [];
          parts.push({ start, end, form });
        }
      }
    return parts && replaced(text, merged(parts));
  }
}

/** In the order of the text, without overlaps. */
function merged(parts: Part[]): readonly Part[] {
  // The sort is stable, so of equal places the first rule counts.
  parts.sort((a, b) => a.start - b.start);
  const kept: Part[] = [];
  for (const part of parts) {
    const last = kept.at(-1);
    if (last !== undefined && part.start < last.end) last.end = Math.max(last.end, part.end);
    else kept.push(part);
  }
  return kept;
}

function replaced(text: string, parts: readonly Part[]): string {
  let result = '';
  let from = 0;
  for (const { start, end, form } of parts) {
    result += text.slice(from, start) + form.mask(text.slice(start, end));
    from = end;
  }
  return result + text.slice(from);
}
