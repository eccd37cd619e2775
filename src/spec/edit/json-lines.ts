/** Edits a file of consumers as JSON lines: the line of the consumer is written anew, all others stay as they are. */
import { type CredentialChange, EditRefused, instantText, type NewConsumer, type NewCredential } from './change.js';

type Table = { [key: string]: unknown };

/** The text with the changes. @throws EditRefused */
export function editJsonLines(text: string, consumer: string, changes: readonly CredentialChange[]): string {
  const { start, end, value } = lineOf(text, consumer);
  for (const change of changes) apply(value, change);
  return text.slice(0, start) + JSON.stringify(value) + text.slice(end);
}

/** The text with one more consumer, on a line at the end. */
export function addToJsonLines(text: string, { name, plan, groups }: NewConsumer, credential: NewCredential): string {
  const value = { name, plan, groups, credentials: [written(credential)] };
  return `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${JSON.stringify(value)}\n`;
}

const written = ({ name, key, expires, addresses }: NewCredential): Table => ({
  name,
  key,
  ...(expires === undefined ? {} : { expires: instantText(expires) }),
  ...(addresses === undefined || addresses.length === 0 ? {} : { addresses }),
});

function apply(value: Table, change: CredentialChange): void {
  if (change.do === 'add') {
    value['credentials'] = [...listOf(value, 'credentials'), written(change.credential)];
    return;
  }
  const { list, index } = change.which;
  const items = listOf(value, list);
  if (change.do === 'remove') {
    const left = items.filter((_, at) => at !== index);
    if (left.length === 0 && list === 'api_keys') delete value[list];
    else value[list] = left;
    return;
  }
  const { name, expires } = change;
  value[list] = items.map((item, at) =>
    at !== index
      ? item
      : {
          ...(item as Table),
          ...(name === undefined ? {} : { name }),
          ...(expires === undefined ? {} : { expires: instantText(expires) }),
        },
  );
}

const listOf = (value: Table, key: string): unknown[] => {
  const found = value[key];
  return Array.isArray(found) ? found : [];
};

interface Line {
  readonly start: number;
  readonly end: number;
  readonly value: Table;
}

/** The line of a consumer. */
function lineOf(text: string, consumer: string): Line {
  const found = lineWith(text, JSON.stringify(consumer), consumer) ?? lineWith(text, '\\', consumer);
  if (found) return found;
  throw new EditRefused(`The file no longer declares consumer ${consumer}.`);
}

/** Only lines that contain `part` are parsed: the name in quotes, or an escape with which the name may be written. */
function lineWith(text: string, part: string, consumer: string): Line | undefined {
  for (let at = text.indexOf(part); at >= 0; ) {
    const first = text.lastIndexOf('\n', at) + 1;
    // A byte order mark does not belong to the JSON.
    const start = first === 0 && text.startsWith('\uFEFF') ? 1 : first;
    const found = text.indexOf('\n', at);
    const end = found < 0 ? text.length : text[found - 1] === '\r' ? found - 1 : found;
    const value = tableOf(text.slice(start, end));
    if (value?.['name'] === consumer) return { start, end, value };
    at = text.indexOf(part, end);
  }
  return undefined;
}

function tableOf(line: string): Table | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    // Another line with an error: it is reported where the file is read.
    return undefined;
  }
}
