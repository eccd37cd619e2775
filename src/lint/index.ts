/** Judges a spec: what schema and names cannot say about it, but its entities together can. */
import { type Diagnostic, hasErrors, type Outcome, sortDiagnostics } from '../schema/diagnostic.js';
import { loadSpec } from '../spec/index.js';
import type { Model, SourceFile } from '../spec/model.js';
import { applyAllow } from './allow.js';
import { allCodes } from './catalogue.js';
import { lintActions, lintPolicies } from './policy-lint.js';
import type { Rule } from './rule.js';
import { rules } from './rules/index.js';

export { allCodes, diagnosticsIndex, docsPage } from './catalogue.js';
export type { CatalogueEntry, Finding, Report, Rule } from './rule.js';
export { rules };

/** Runs all rules and policy checks on a model. Sorted; `[lint].allow` is not applied. */
export function lint(model: Model): Diagnostic[] {
  return sortDiagnostics([...runRules(model, rules), ...lintPolicies(model), ...lintActions(model)]);
}

function runRules(model: Model, chosen: readonly Rule[]): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const { code, severity, check } of chosen) {
    check(model, (finding) => found.push({ code, severity, ...finding }));
  }
  return found;
}

export type LoadOptions = Parameters<typeof loadSpec>[0];

export interface CheckedSpec extends Outcome<Model> {
  /** Every file of the spec that was read, also if there is no model, and further files that diagnostics point to. */
  readonly files: readonly SourceFile[];
  /** Custom code that was not run, as `use` names it: `code` was `none`. */
  readonly unchecked: readonly string[];
}

/**
 * Loads and checks a spec. Diagnostics are sorted by file, offset and code, without allowed warnings. If the spec has
 * errors, only `partial` rules run. Never throws for any input.
 */
export function checkSpec(options: LoadOptions): CheckedSpec {
  const { value: model, diagnostics, files, unchecked } = loadSpec(options);
  if (!model) return { value: undefined, diagnostics: sortDiagnostics(diagnostics), files, unchecked };
  const whole = !hasErrors(diagnostics);
  const chosen = whole ? rules : rules.filter(({ partial }) => partial);
  // With errors, a policy warning may be wrong: a consumer with an invalid key, for example, is missing.
  const kinds = [...lintPolicies(model), ...lintActions(model)];
  const policies = kinds.filter(({ severity }) => whole || severity === 'error');
  const found = [...diagnostics, ...runRules(model, chosen), ...policies];
  return {
    value: model,
    diagnostics: sortDiagnostics(applyAllow(model, found, allCodes(), whole)),
    files: [...files, ...model.policyFiles.located, ...model.stored.sourcesOf(found)],
    unchecked,
  };
}
