/** Reads the credentials of one consumer from the text of the file that declares it. */
import type { CredentialEntry } from '../../bundle/types.js';
import { Decoder } from '../../schema/decoder.js';
import { INVALID } from '../../schema/schema.js';
import type { TableEntry } from '../../schema/tree.js';
import { consumer as schema } from '../consumer.js';
import { credentialsOf } from '../credentials.js';
import { Source } from '../source.js';
import { LocatedLines } from '../stored/lines.js';
import { parseToml } from '../toml/toml.js';
import type { Which } from './change.js';
import { consumerPart } from './toml.js';

/** A credential, and where it is written. */
export interface WrittenCredential {
  readonly entry: CredentialEntry;
  readonly which: Which;
  /** It has no name of its own: its number among those of its kind names it. */
  readonly numbered: boolean;
}

/** The credentials of a consumer; undefined if the text does not declare it, or with errors. */
export function credentialsIn(text: string, lines: boolean, name: string): readonly WrittenCredential[] | undefined {
  const entry = lines ? new LocatedLines('', Buffer.from(text)).entryOf(name) : tomlEntry(text, name);
  if (!entry) return undefined;
  const decoder = new Decoder(entry.value);
  const config = schema.decode(entry.value, decoder);
  if (config === INVALID) return undefined;
  // Public keys are not needed here: their files are not read.
  const { credentials } = credentialsOf(config, () => ({ cause: 'not read' }));
  return credentials.flatMap(({ entry: found, at: [list, index] }) =>
    (list === 'api_keys' || list === 'credentials') && typeof index === 'number'
      ? {
          entry: found,
          which: { list, index },
          numbered: list === 'api_keys' || config.credentials[index]?.name === undefined,
        }
      : [],
  );
}

function tomlEntry(text: string, name: string): TableEntry | undefined {
  const { start, end } = consumerPart(text, name);
  const { value } = parseToml(new Source('', '', text.slice(start, end)), 'spec');
  const section = value?.entries.get('consumer')?.value;
  return section?.kind === 'table' ? section.entries.get(name) : undefined;
}
