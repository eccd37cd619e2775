/** What a `use` can lead to besides the kinds of gw. Types only. */
import type { ActionDeclaration, PolicyDeclaration } from '../policies/contract.js';
import type { Diagnostic, Span } from '../schema/diagnostic.js';

/** Where a `use` stands. */
export interface UsePlace {
  readonly use: string;
  readonly span: Span;
  readonly entity: string;
}

type Report = (diagnostic: Diagnostic) => void;

/** Finds the declarations of custom code. */
export interface CustomResolver {
  /** Whether `use` is the name of code: a path, or an installed package. */
  isCustom(use: string): boolean;
  /** Undefined if it cannot be used, which is reported. */
  policy(place: UsePlace, report: Report): PolicyDeclaration | undefined;
  action(place: UsePlace, report: Report): ActionDeclaration | undefined;
}
