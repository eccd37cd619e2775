import { splitReferences } from '../../reference-syntax.js';
import type { Origins } from '../../schema/decoder.js';
import type { Model } from '../../spec/model.js';
import { modelIndexOf, policyEntity } from '../model-index.js';
import type { Rule } from '../rule.js';
import { secretIn } from '../secrets.js';

type Path = readonly (string | number)[];
type Visit = (path: Path, text: string) => void;

/** Visits every string in a config, with its path; of references (`{ $ref }`), their defaults. */
function visitStrings(value: unknown, path: Path, visit: Visit): void {
  if (typeof value === 'string') visit(path, value);
  else if (Array.isArray(value))
    for (const [index, item] of value.entries()) visitStrings(item, [...path, index], visit);
  else if (value === null || typeof value !== 'object') return;
  else if ('$ref' in value && typeof value.$ref === 'string') {
    // A default is readable in the spec and in the bundle.
    for (const part of splitReferences(value.$ref)) if (typeof part !== 'string') visit(path, part.fallback ?? '');
  } else {
    for (const [key, item] of Object.entries(value)) visitStrings(item, [...path, key], visit);
  }
}

interface Place {
  readonly entity: string;
  readonly config: unknown;
  readonly at: Origins;
  readonly prefix: Path;
}

function* places(model: Model): Generator<Place> {
  for (const policy of modelIndexOf(model).policies) {
    yield { entity: policyEntity(model, policy), config: policy.config, at: policy.at, prefix: [] };
  }
  for (const { name, config, at } of model.services) {
    yield { entity: `service.${name}`, config: config.run, at, prefix: ['run'] };
  }
  for (const { name, config, at } of model.consumers) {
    yield { entity: `consumer.${name}`, config: config.tags, at, prefix: ['tags'] };
  }
  for (const { name, config, at } of model.listeners) {
    yield { entity: `listener.${name}`, config: config.tls, at, prefix: ['tls'] };
  }
  for (const { name, action, at } of model.routes) {
    yield { entity: `route.${name}`, config: action.config, at, prefix: [action.key] };
  }
  yield { entity: 'admin', config: model.admin.token, at: model.at, prefix: ['admin', 'token'] };
}

const rule: Rule = {
  code: 'secret/plain-text',
  severity: 'warning',
  summary: 'The spec contains a secret in plain text',
  partial: true,
  check(model, report) {
    for (const { entity, config, at, prefix } of places(model)) {
      visitStrings(config, prefix, (path, text) => {
        const what = secretIn(path, text);
        if (what === undefined) return;
        report({
          span: at.spanOf(...path),
          entity,
          sensitive: true,
          message: `This looks like ${what} in plain text, readable for everyone with access to the repository or its history.`,
          help: 'Write `"${env:NAME}"` or `"${file:path}"` instead, and replace the exposed secret.',
        });
      });
    }
  },
};
export default rule;
