/** The part of a path after `?` or `#`: conditions on the query and on header fields. */
import { isToken } from '../../field-syntax.js';
import type { Parameters } from './parameters.js';

export interface ConditionDraft {
  readonly on: 'header' | 'query';
  readonly name: string;
  /** `true`: present, `false`: absent. */
  readonly value: string | boolean;
}

export interface Conditions {
  readonly conditions: readonly ConditionDraft[];
  /** Parts that are not conditions, as the document writes them. */
  readonly unknown: readonly string[];
}

/** `/?Action=List`. A part whose value is a template names a parameter, and any value will do. */
export function queryConditions(text: string | undefined): ConditionDraft[] {
  const conditions: ConditionDraft[] = [];
  for (const [name, value] of new URLSearchParams(text ?? '')) {
    if (name === '' || /[{}]/.test(`${name}${value}`) || conditions.some((other) => other.name === name)) continue;
    conditions.push({ on: 'query', name, value: literalOr(value) });
  }
  return conditions;
}

/**
 * `/#X-Amz-Target=Service.Operation`, `/{Bucket}#acl`: documents of AWS distinguish operations on one path by a
 * fragment that names parameters. Each part is a condition where the operation requires that parameter.
 */
export function fragmentConditions(text: string | undefined, parameters: Parameters): Conditions {
  const conditions: ConditionDraft[] = [];
  const unknown: string[] = [];
  for (const part of (text ?? '').split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = decoded(equals < 0 ? part : part.slice(0, equals));
    const value = equals < 0 ? true : literalOr(decoded(part.slice(equals + 1)));
    const on = placeOf(name, parameters);
    if (on === undefined || conditions.some((other) => other.on === on && other.name === name)) unknown.push(part);
    else conditions.push({ on, name, value });
  }
  return { conditions, unknown };
}

/** Undefined where the parameter is not required: a condition on it would refuse requests that the document allows. */
function placeOf(name: string, { header, query }: Parameters): ConditionDraft['on'] | undefined {
  if (query.get(name) === true) return 'query';
  const isField = isToken(name);
  if (isField && header.get(name.toLowerCase()) === true) return 'header';
  const declared = query.has(name) || header.has(name.toLowerCase());
  // This field selects the operation, whether or not the document declares it.
  return isField && !declared && /^x-amz-target$/i.test(name) ? 'header' : undefined;
}

/** The value; true (any value) for an empty one, and for text that gw would read as a reference. */
const literalOr = (value: string): string | true => (value === '' || value.includes('${') ? true : value);

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A stray percent sign: the text is literal.
    return text;
  }
}

/** As people read it: `query Action is "List"`. */
export const shownCondition = ({ on, name, value }: ConditionDraft): string =>
  typeof value === 'string' ? `${on} ${name}=${value}` : `${on} ${name} ${value ? 'present' : 'absent'}`;
