import { splitReferences } from '../../reference-syntax.js';
import type { Model } from '../../spec/model.js';
import type { Rule } from '../rule.js';
import { configPlaces, type ValuePlace, visitTexts } from '../strings.js';

/** Where references may be written. */
function* places(model: Model): Generator<ValuePlace> {
  yield* configPlaces(model);
  for (const { name, config, at } of model.services) yield { entity: `service.${name}`, config, at, prefix: [] };
  for (const { name, config, at } of model.listeners) yield { entity: `listener.${name}`, config, at, prefix: [] };
  for (const { name, config, at } of model.consumers) yield { entity: `consumer.${name}`, config, at, prefix: [] };
  yield { entity: 'admin', config: model.admin, at: model.at, prefix: ['admin'] };
}

const rule: Rule = {
  code: 'vault/missing',
  severity: 'error',
  summary: 'A secret of Vault is used, but the spec does not say where Vault is',
  partial: false,
  check(model, report) {
    if (model.vault !== undefined) return;
    for (const { entity, config, at, prefix } of places(model)) {
      visitTexts(config, prefix, (path, text, isReference) => {
        if (!isReference) return;
        const secret = splitReferences(text).find((part) => typeof part !== 'string' && part.kind === 'vault');
        if (secret === undefined || typeof secret === 'string') return;
        report({
          span: at.spanOf(...path),
          entity,
          message: `\`${secret.text}\` is a secret of Vault, but the spec has no table \`[vault]\`.`,
          help: 'Add `[vault]` with `address` and a login, or use `"${env:NAME}"` or `"${file:path}"`.',
        });
      });
    }
  },
};
export default rule;
