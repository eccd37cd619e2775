/** The entry of a consumer from its declaration in a file. */
import type { ConsumerEntry } from '../../bundle/types.js';
import type { PolicyFile } from '../../policies/contract.js';
import { PlainDecoder } from '../../schema/decoder.js';
import type { Diagnostic } from '../../schema/diagnostic.js';
import { INVALID } from '../../schema/schema.js';
import type { TomlNode } from '../../schema/tree.js';
import { type ConsumerConfig, consumer } from '../consumer.js';
import { credentialsOf } from '../credentials.js';
import { NAME_PATTERN } from '../entities.js';
import { decodeEntity } from '../entity.js';
import type { ConsumerModel } from '../model.js';
import { invalidName, notTable } from '../names.js';
import type { ReadEntry } from './change.js';

/** The entry of a consumer. Keys in the order of the canonical text. */
export function consumerEntry(
  name: string,
  config: ConsumerConfig,
  credentials: ConsumerModel['credentials'],
  plan: string | undefined,
): ConsumerEntry {
  return {
    credentials: credentials.map(({ entry }) => entry),
    ...(config.disabled ? { disabled: true } : {}),
    groups: config.groups,
    ...(config.keep_streams ? { keepStreams: true } : {}),
    name,
    ...(plan === undefined ? {} : { plan }),
    tags: config.tags,
  };
}

/** The same as decodeEntity(), without places. */
function decodePlain(node: TomlNode, report: (diagnostic: Diagnostic) => void) {
  const at = new PlainDecoder(node);
  const config = consumer.decode(node, at);
  for (const diagnostic of at.diagnostics) report(diagnostic);
  return config === INVALID ? undefined : { config, at };
}

/** Those whose name another one before has. */
function repeated(credentials: ConsumerModel['credentials']): ConsumerModel['credentials'] {
  if (credentials.length < 2) return [];
  const names = new Set<string>();
  return credentials.filter(({ entry }) => names.size === names.add(entry.name).size);
}

/** Reads declarations. `readFile`: files with public keys. */
export function entryReader(readFile: (path: string) => PolicyFile): ReadEntry {
  return (declared, report, plain = false) => {
    const name = declared.key;
    if (!NAME_PATTERN.test(name)) report(invalidName('consumer', declared));
    if (declared.value.kind !== 'table') {
      report(notTable('consumer', declared));
      return undefined;
    }
    const entity = `consumer.${name}`;
    const found = plain ? decodePlain(declared.value, report) : decodeEntity(consumer, declared, entity, report);
    if (!found) return undefined;
    const { credentials, problems } = credentialsOf(found.config, readFile);
    for (const { at, ...problem } of problems)
      report({ code: 'consumer/public-key', severity: 'error', span: found.at.spanOf(...at), entity, ...problem });
    for (const { entry, at } of repeated(credentials))
      report({
        code: 'consumer/credential-name',
        severity: 'error',
        span: found.at.spanOf(...(at[0] === 'credentials' ? at.slice(0, 2) : at)),
        message: `Consumer \`${name}\` has two credentials with the name \`${entry.name}\`.`,
        help: 'Give each credential its own `name`. Those without a name are called by their kind and number: `key-1`, `key-2`.',
        entity,
      });
    return consumerEntry(name, found.config, credentials, found.config.plan);
  };
}
