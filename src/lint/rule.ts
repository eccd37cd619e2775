/** What a rule is: one file in rules/, one code, one question asked of the whole model. */
import type { Diagnostic, Severity } from '../schema/diagnostic.js';
import type { Model } from '../spec/model.js';

/** What a rule says of one place; code and severity are the rule's. */
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
   * True when the rule is right even about a spec of which a part could not be read. A rule that reasons from what is
   * absent (`unused`) is not: the missing part may hold it.
   */
  readonly partial: boolean;
  /** Reports in any order; whoever runs the rules sorts. */
  check(model: Model, report: Report): void;
}
