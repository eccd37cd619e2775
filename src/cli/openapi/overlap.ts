/** Whether two routes can match the same request, by their paths and conditions. */
import type { Dfa } from '../../bundle/types.js';
import { commonExample, equivalent } from '../../schema/regex/dfa.js';
import { compilePattern, NAMED_TYPES } from '../../schema/regex/regex.js';
import type { ConditionDraft } from './conditions.js';
import type { Form } from './draft.js';
import type { SegmentDraft } from './paths.js';

/** `segments` have equal kinds, place by place. */
export function overlap(a: Form, b: Form): boolean {
  if (a.conditions.some((one) => b.conditions.some((other) => contradict(one, other)))) return false;
  return a.segments.every((segment, index) => {
    const other = b.segments[index];
    if (segment.kind !== 'typed' || other?.kind !== 'typed') return true;
    return commonExample(dfaOf(segment.type), dfaOf(other.type)) !== undefined;
  });
}

/** Every request that `b` can take, `a` takes. `segments` have equal kinds, place by place. */
export function covers(a: Form, b: Form): boolean {
  const implied = (one: ConditionDraft): boolean =>
    b.conditions.some(
      (other) =>
        other.on === one.on &&
        sameName(other.name, one.name, one.on) &&
        (other.value === one.value || (one.value === true && other.value !== false)),
    );
  return (
    a.conditions.every(implied) &&
    a.segments.every((segment, index) => segment.kind !== 'typed' || isSame(segment, b.segments[index]))
  );
}

function contradict(a: ConditionDraft, b: ConditionDraft): boolean {
  if (a.on !== b.on || a.value === b.value) return false;
  return (
    sameName(a.name, b.name, a.on) && (a.value === false || b.value === false || (a.value !== true && b.value !== true))
  );
}

function dfaOf(type: string): Dfa {
  const compiled = compilePattern(NAMED_TYPES[type] ?? type);
  if ('error' in compiled) throw new Error(`pattern ${type}: ${compiled.error}`);
  return compiled.dfa;
}

export const sameName = (a: string, b: string, on: ConditionDraft['on']): boolean =>
  on === 'header' ? a.toLowerCase() === b.toLowerCase() : a === b;

export const isSame = (a: SegmentDraft, b: SegmentDraft | undefined): boolean =>
  a.kind === 'typed' && b?.kind === 'typed' && equivalent(dfaOf(a.type), dfaOf(b.type));
