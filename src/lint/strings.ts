/** Every text of a spec that a person writes as a value, with its place. */
import type { Origins } from '../schema/decoder.js';
import type { Model } from '../spec/model.js';
import { modelIndexOf, policyEntity } from './model-index.js';

export type ValuePath = readonly (string | number)[];

/** A part of the spec with values. */
export interface ValuePlace {
  readonly entity: string;
  readonly config: unknown;
  readonly at: Origins;
  readonly prefix: ValuePath;
}

/** Policies and actions: their configs may hold any text. */
export function* configPlaces(model: Model): Generator<ValuePlace> {
  for (const policy of modelIndexOf(model).policies) {
    yield { entity: policyEntity(model, policy), config: policy.config, at: policy.at, prefix: [] };
  }
  for (const { name, action, at } of model.routes) {
    yield { entity: `route.${name}`, config: action.config, at, prefix: [action.key] };
  }
}

/** Visits every text in a value, with its path; of a reference the text with its braces. */
export function visitTexts(
  value: unknown,
  path: ValuePath,
  visit: (path: ValuePath, text: string, isReference: boolean) => void,
): void {
  if (typeof value === 'string') visit(path, value, false);
  else if (Array.isArray(value)) for (const [index, item] of value.entries()) visitTexts(item, [...path, index], visit);
  else if (value === null || typeof value !== 'object') return;
  else if ('$ref' in value && typeof value.$ref === 'string') visit(path, value.$ref, true);
  else for (const [key, item] of Object.entries(value)) visitTexts(item, [...path, key], visit);
}
