import { splitReferences } from '../../reference-syntax.js';
import type { Model } from '../../spec/model.js';
import type { Rule } from '../rule.js';
import { secretIn } from '../secrets.js';
import { configPlaces, type ValuePlace, visitTexts } from '../strings.js';

/** Where secrets could be written. */
function* places(model: Model): Generator<ValuePlace> {
  yield* configPlaces(model);
  for (const { name, config, at } of model.services) {
    yield { entity: `service.${name}`, config: config.run, at, prefix: ['run'] };
  }
  for (const { name, config, at } of model.consumers) {
    yield { entity: `consumer.${name}`, config: config.tags, at, prefix: ['tags'] };
    yield { entity: `consumer.${name}`, config: config.credentials, at, prefix: ['credentials'] };
  }
  for (const { name, config, at } of model.listeners) {
    yield { entity: `listener.${name}`, config: config.tls, at, prefix: ['tls'] };
  }
  yield { entity: 'admin', config: model.admin.token, at: model.at, prefix: ['admin', 'token'] };
}

/** The text itself; of references their defaults, which are readable in the spec and in the bundle. */
const readable = (text: string, isReference: boolean): readonly string[] =>
  isReference
    ? splitReferences(text).flatMap((part) => (typeof part === 'string' ? [] : [part.fallback ?? '']))
    : [text];

const rule: Rule = {
  code: 'secret/plain-text',
  severity: 'warning',
  summary: 'The spec contains a secret in plain text',
  partial: true,
  check(model, report) {
    for (const { entity, config, at, prefix } of places(model)) {
      visitTexts(config, prefix, (path, written, isReference) => {
        const what = readable(written, isReference)
          .map((text) => secretIn(path, text))
          .find((found) => found !== undefined);
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
