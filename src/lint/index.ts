/** Judges a spec: what schema and names cannot say about it, but its entities together can. */
import { type Diagnostic, hasErrors, type Outcome, sortDiagnostics } from '../schema/diagnostic.js';
import { loadSpec } from '../spec/index.js';
import type { Model, SourceFile } from '../spec/model.js';
import { applyAllow } from './allow.js';
import { allCodes } from './catalogue.js';
import { lintPolicies } from './policy-lint.js';
import type { Rule } from './rule.js';
import { rules } from './rules/index.js';

export { allCodes, diagnosticsIndex, docsPage } from './catalogue.js';
export type { CatalogueEntry, Finding, Report, Rule } from './rule.js';
export { rules };

/** What all rules and policies say of a model, sorted; `[lint].allow` is not applied. */
export function lint(model: Model): Diagnostic[] {
  return sortDiagnostics([...runRules(model, rules), ...lintPolicies(model)]);
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
  /** Every file that was read, also when no model could be made of them. */
  readonly files: readonly SourceFile[];
}

/**
 * Loads a spec and says everything there is to say about it: sorted by file, offset and code, allowed warnings left
 * out. With errors in the text or names, only rules that stay right about a part of a spec run. Never throws on any
 * input.
 */
export function checkSpec(options: LoadOptions): CheckedSpec {
  const { value: model, diagnostics, files } = loadSpec(options);
  if (!model) return { value: undefined, diagnostics: sortDiagnostics(diagnostics), files };
  const whole = !hasErrors(diagnostics);
  const chosen = whole ? rules : rules.filter(({ partial }) => partial);
  // What a policy warns of may come from what could not be read: a consumer with a bad key is no consumer.
  const policies = lintPolicies(model).filter(({ severity }) => whole || severity === 'error');
  const found = [...diagnostics, ...runRules(model, chosen), ...policies];
  return { value: model, diagnostics: sortDiagnostics(applyAllow(model, found, allCodes(), whole)), files };
}
