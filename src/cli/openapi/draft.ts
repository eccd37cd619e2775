/** A route on its way from an OpenAPI document to a spec. */
import { type ConditionDraft, shownCondition } from './conditions.js';
import { pathText, type SegmentDraft } from './paths.js';
import type { Guard } from './security.js';
import type { ServiceDraft } from './servers.js';

/** What a request must look like: the path and the conditions that a route matches. */
export interface Form {
  readonly segments: readonly SegmentDraft[];
  readonly conditions: readonly ConditionDraft[];
}

export interface RouteDraft {
  name: string;
  /** Undefined: any method. */
  readonly method: string | undefined;
  segments: readonly SegmentDraft[];
  conditions: readonly ConditionDraft[];
  guard: Guard;
  readonly service: ServiceDraft;
  /** The operation's first tag. */
  readonly tag: string | undefined;
  /** Lines above the route. */
  readonly comments: string[];
}

/** `GET /pets/{id} (query tag present)`. */
export function shown({ method, segments, conditions }: Form & { readonly method: string | undefined }): string {
  const path = `${method ?? 'any method'} ${pathText(segments)}`;
  return conditions.length === 0 ? path : `${path} (${conditions.map(shownCondition).join(', ')})`;
}
