/** `[lint].allow`: silences warnings that are intended. An entry that has no effect is reported. */
import type { Diagnostic } from '../schema/diagnostic.js';
import { KnownWords, suggest } from '../schema/suggest.js';
import type { Model } from '../spec/model.js';
import { listIn } from './model-index.js';
import type { CatalogueEntry } from './rule.js';

export const ALLOW_CODES: readonly CatalogueEntry[] = [
  {
    code: 'lint/allow-error',
    severity: 'error',
    summary: '`[lint].allow` lists an error; only warnings can be silenced',
  },
  { code: 'lint/allow-unknown', severity: 'error', summary: '`[lint].allow` lists an unknown code' },
  { code: 'lint/allow-unused', severity: 'warning', summary: 'An entry of `[lint].allow` silences nothing' },
];

/** Removes allowed warnings and reports wrong entries. `whole`: all rules have run. */
export function applyAllow(
  model: Model,
  diagnostics: readonly Diagnostic[],
  catalogue: readonly CatalogueEntry[],
  whole: boolean,
): Diagnostic[] {
  const kept = new Set(diagnostics);
  const extra: Diagnostic[] = [];
  const found = new Found(diagnostics);
  for (const [index, entry] of model.lint.allow.entries()) {
    const problem = refuse(entry.code, catalogue);
    if (problem) {
      extra.push({ ...problem(model, index), entity: 'lint' });
      continue;
    }
    if (!found.silence(entry.code, entry.at, kept) && whole) extra.push(unused(model, index, found));
  }
  return [...kept, ...extra];
}

/** The diagnostics of one code. */
class OfCode {
  /** Entities with a diagnostic of this code, errors included. */
  readonly entities = new Set<string>();
  readonly #byEntity = new Map<string | undefined, Diagnostic[]>();
  #words: KnownWords | undefined;
  #isSilent = false;

  add(diagnostic: Diagnostic): void {
    const { entity, severity } = diagnostic;
    if (entity !== undefined) this.entities.add(entity);
    if (severity !== 'error') listIn(this.#byEntity, entity).push(diagnostic);
  }

  /** Removes the warnings at the entity (left out: all of them) from `kept`; false if there are none. */
  silence(at: string | undefined, kept: Set<Diagnostic>): boolean {
    if (at !== undefined) {
      const here = this.#byEntity.get(at) ?? [];
      for (const diagnostic of here) kept.delete(diagnostic);
      return here.length > 0;
    }
    if (!this.#isSilent) for (const list of this.#byEntity.values()) for (const each of list) kept.delete(each);
    this.#isSilent = true;
    return this.#byEntity.size > 0;
  }

  nearest(at: string): string | undefined {
    this.#words ??= new KnownWords(this.entities);
    return this.#words.nearest(at)?.word;
  }
}

/** Diagnostics by code, so that looking up an entry takes constant time. */
class Found {
  readonly #byCode = new Map<string, OfCode>();

  constructor(diagnostics: readonly Diagnostic[]) {
    for (const diagnostic of diagnostics) {
      const known = this.#byCode.get(diagnostic.code) ?? new OfCode();
      known.add(diagnostic);
      this.#byCode.set(diagnostic.code, known);
    }
  }

  silence(code: string, at: string | undefined, kept: Set<Diagnostic>): boolean {
    return this.#byCode.get(code)?.silence(at, kept) ?? false;
  }

  /** An entity with a diagnostic of the code: the most similar name, else the first. */
  elsewhere(code: string, at: string): string | undefined {
    const known = this.#byCode.get(code);
    return known?.nearest(at) ?? known?.entities.values().next().value;
  }
}

type Problem = (model: Model, index: number) => Diagnostic;

function refuse(code: string, catalogue: readonly CatalogueEntry[]): Problem | undefined {
  const known = catalogue.filter((entry) => entry.code === code);
  if (known.some(({ severity }) => severity !== 'error')) return undefined;
  const span = (model: Model, index: number) => model.at.spanOf('lint', 'allow', index, 'code');
  if (known.length > 0) {
    return (model, index) => ({
      code: 'lint/allow-error',
      severity: 'error',
      span: span(model, index),
      message: `\`${code}\` is an error. Only warnings can be silenced, because a spec with errors cannot run.`,
      help: 'Fix the error and remove this entry.',
    });
  }
  const near = suggest(
    code,
    catalogue.filter(({ severity }) => severity !== 'error').map((entry) => entry.code),
  );
  return (model, index) => ({
    code: 'lint/allow-unknown',
    severity: 'error',
    span: span(model, index),
    message: `Unknown code \`${code}\`.`,
    help: near === undefined ? 'docs/diagnostics lists all codes.' : `Did you mean \`${near}\`?`,
    ...(near === undefined
      ? {}
      : {
          fix: {
            title: `Write \`${near}\``,
            applicability: 'safe' as const,
            edits: [{ span: span(model, index), text: JSON.stringify(near) }],
          },
        }),
  });
}

function unused(model: Model, index: number, found: Found): Diagnostic {
  const { code, at } = model.lint.allow[index]!;
  const near = at === undefined ? undefined : found.elsewhere(code, at);
  return {
    code: 'lint/allow-unused',
    severity: 'warning',
    span:
      at === undefined
        ? model.at.spanOf('lint', 'allow', index, 'code')
        : model.at.spanOf('lint', 'allow', index, 'at'),
    entity: 'lint',
    message: `This entry has no effect: the spec has no \`${code}\`${at === undefined ? '' : ` at \`${at}\``}.`,
    help: near === undefined ? 'Remove this entry.' : `Did you mean \`${near}\`?`,
  };
}
