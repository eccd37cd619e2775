/** What a policy's schema.ts and index.ts are written with. Never loaded by a data plane. */
import type { Json, PolicyDeclaration } from './contract.js';

export { type Infer, Schema, s } from '../schema/declare.js';
export { type ParsedTemplate, parseTemplate, unknownVariable, withReferences } from '../schema/template.js';
export { formatRate } from '../schema/units.js';

/** A declaration with its own types checked, as the registry keeps it: beside others, its config unknown. */
export const declarePolicy = <Config, Settings extends Json>(
  declaration: PolicyDeclaration<Config, Settings>,
): PolicyDeclaration => declaration;

/** Name of a header field, RFC 9110 section 5.1. */
export const isFieldName = (text: string): boolean => /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(text);

/** True for text that may stand in a field value: no control bytes but tab, RFC 9110 section 5.5, and ASCII alone. */
export const isFieldText = (text: string): boolean => /^[\t\x20-\x7e]*$/.test(text);
