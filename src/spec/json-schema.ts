/** The JSON Schema of the spec (draft 2020-12) for editors, from the declarations that decode it. */

import { declarations as actions } from '../actions/registry.js';
import type { Json } from '../bundle/types.js';
import type { ActionDeclaration, PolicyDeclaration } from '../policies/contract.js';
import { declarations } from '../policies/registry.js';
import type { JsonSchema } from '../schema/schema.js';
import { ACTION_KEYS } from './actions.js';
import { consumer } from './consumer.js';
import { plan } from './entities.js';
import { listener } from './listener.js';
import { service } from './service/index.js';
import { groupShape, removeShape, rootShape, routeShape } from './shapes.js';
import { WHEN_SUMMARY } from './when.js';

/**
 * The JSON Schema of a spec; with `fragment`, of an included file or overlay.
 *
 * Covers keys, types, formats, and exactly one of two keys. Names, paths, patterns and rules between several parts are
 * checked only when gw reads the spec.
 */
export function specJsonSchema({ fragment = false }: { readonly fragment?: boolean } = {}): JsonSchema {
  const whole = wholeSchema();
  if (!fragment) return whole;
  const properties = whole['properties'] as { readonly [key: string]: Json };
  return {
    ...(loosened(whole) as JsonSchema),
    title: 'Part of a gw spec',
    description: 'An included file or an overlay of a spec; no key is required.',
    properties: { ...(loosenedEach(properties) as JsonSchema), remove: removeShape.documented() },
  };
}

/** Removes required keys: an included file or overlay may contain only part of an entity. */
function loosened(schema: Json): Json {
  if (Array.isArray(schema)) return schema.map(loosened);
  if (schema === null || typeof schema !== 'object') return schema;
  const kept = Object.entries(schema).filter(
    ([key, value]) => key !== 'required' && !(key === 'oneOf' && isChoiceOfKeys(value)),
  );
  return Object.fromEntries(
    kept.map(([key, value]) => {
      if (key === 'properties' || key === '$defs') return [key, loosenedEach(value)];
      // Without `use`, more than one kind may match.
      return [key === 'oneOf' ? 'anyOf' : key, CONSTANT.has(key) ? value : loosened(value)];
    }),
  );
}

/** Keywords whose value is data, not a schema. */
const CONSTANT: ReadonlySet<string> = new Set(['default', 'examples', 'const', 'enum']);

const loosenedEach = (schemas: Json): Json =>
  Object.fromEntries(
    Object.entries(schemas as { readonly [key: string]: Json }).map(([key, value]) => [key, loosened(value)]),
  );

const isChoiceOfKeys = (forms: Json): boolean =>
  Array.isArray(forms) && forms.every((form) => Object.keys(form as object).join() === 'required');

function wholeSchema(): JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'gw spec',
    description: 'An API gateway: its listeners, services, consumers, policies and routes.',
    ...rootShape.jsonSchema(),
    $defs: {
      listener: listener.documented(),
      service: exactlyOne(service.documented(), 'targets', 'run', 'discover'),
      consumer: consumer.documented(),
      plan: plan.documented(),
      route: exactlyOne(routeShape.documented(), ...ACTION_KEYS),
      group: groupShape.documented(),
      policy: oneKindOf([...declarations, CUSTOM], POLICY),
      action: oneKindOf([...actions, CUSTOM], ACTION),
      [`${POLICY}custom`]: customKind('policy'),
      [`${ACTION}custom`]: customKind('action'),
      policy_use: {
        anyOf: [
          { type: 'string', minLength: 1, description: 'Name of a policy.' },
          { $ref: '#/$defs/policy', description: 'A policy written in place.' },
        ],
      },
      ...Object.fromEntries(
        declarations.map((declaration) => [`${POLICY}${declaration.use}`, ofKind(declaration, 'policy')]),
      ),
      ...Object.fromEntries(actions.map((action) => [`${ACTION}${action.use}`, ofKind(action, 'action')])),
    },
  };
}

/** Custom kinds, by the name of their schema. */
const CUSTOM = { use: 'custom' };

/** A policy or an action by code of the project. Its keys are known to its code alone. */
const customKind = (word: 'policy' | 'action'): JsonSchema => ({
  type: 'object',
  required: ['use'],
  properties: {
    use: {
      type: 'string',
      pattern: '[./@]',
      description: `Custom ${word}: a file such as \`./policies/tenant-check.ts\`, or an npm package.`,
    },
    ...(word === 'policy' ? { when: WHEN } : {}),
  },
});

/** In front of the names of kinds: entities, policies and actions may have the same name. */
const POLICY = 'policy:';
const ACTION = 'action:';

const oneKindOf = (kinds: readonly { readonly use: string }[], prefix: string): JsonSchema => ({
  type: 'object',
  required: ['use'],
  oneOf: kinds.map(({ use }) => ({ $ref: `#/$defs/${prefix}${use}` })),
});

const exactlyOne = (schema: JsonSchema, ...keys: readonly string[]): JsonSchema => ({
  ...schema,
  oneOf: keys.map((key) => ({ required: [key] })),
});

const WHEN: JsonSchema = {
  type: 'string',
  minLength: 1,
  description: WHEN_SUMMARY.replace(/\[(.*?)\]\(.*?\)/, '$1'),
  examples: ['request.method == "POST"'],
};

/** The config of a kind of policy or action, with its `use` and, for a policy, `when`. */
function ofKind(declaration: PolicyDeclaration | ActionDeclaration, word: 'policy' | 'action'): JsonSchema {
  const config = declaration.schema.jsonSchema();
  const required = Array.isArray(config['required']) ? (config['required'] as readonly Json[]) : [];
  const properties = (config['properties'] ?? {}) as { readonly [key: string]: Json };
  return {
    ...config,
    description: declaration.summary,
    properties: {
      use: { const: declaration.use, description: `The kind of ${word}.` },
      ...(word === 'policy' ? { when: WHEN } : {}),
      ...properties,
    },
    required: ['use', ...required],
  };
}
