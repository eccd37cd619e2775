/** A lint rule: one file in rules/, one code, one check of the whole model. */
import type { Diagnostic, Severity } from '../schema/diagnostic.js';
import type { Model } from '../spec/model.js';

/** What a rule reports at one place; code and severity come from the rule. */
export type Finding = Omit<Diagnostic, 'code' | 'severity'>;
export type Report = (finding: Finding) => void;

export interface CatalogueEntry {
  /** Slug with a docs page and a fixture pair: `route/shadowed`. */
  readonly code: string;
  readonly severity: Severity;
  /** A short phrase with a capital, no full stop. */
  readonly summary: string;
}

export interface Rule extends CatalogueEntry {
  /**
   * Whether the rule is also right for a spec that could be read only partly. A rule about missing things (`unused`) is
   * not: the unread part may contain them.
   */
  readonly partial: boolean;
  /** Reports in any order; checkSpec() sorts. */
  check(model: Model, report: Report): void;
}
