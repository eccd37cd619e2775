/** Points in time: dates and times of TOML, or the same as text (JSON has no dates). */
import type { Decoder } from './decoder.js';
import { type Decoded, INVALID, type JsonSchema, Schema, wrongKind } from './schema.js';
import type { TomlNode } from './tree.js';

const SHAPE = /^(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)([Zz]|[+-]\d{2}:\d{2})?)?$/;

const PATTERN = '^\\d{4}-\\d{2}-\\d{2}[Tt ]\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,9})?)?([Zz]|[+-]\\d{2}:\\d{2})$';

/** A date with a time and an offset from UTC, as milliseconds since 1970. */
export class InstantSchema extends Schema<number> {
  readonly expected = 'a date and time such as `2027-01-31T00:00:00Z`';

  decode(node: TomlNode, decoder: Decoder): Decoded<number> {
    if (node.kind !== 'datetime' && node.kind !== 'string') return wrongKind(this, node, decoder);
    const [, date, time, offset] = SHAPE.exec(node.value) ?? [];
    const instant = readInstant(node.value);
    if (instant !== undefined) return instant;
    const text = node.value.slice(0, 60);
    const help =
      date === undefined
        ? 'Write it without quotes: year, month, day, `T`, time, and `Z` for UTC.'
        : time === undefined
          ? `Add the time and its offset: \`${date}T00:00:00Z\`.`
          : offset === undefined
            ? `Add the offset: \`Z\` for UTC, or one such as \`+01:00\`.`
            : 'No calendar has this date, or no day this time.';
    decoder.error('schema/format', node.span, `Expected ${this.expected}, found \`${text}\`.`, { help });
    return INVALID;
  }

  jsonSchema(): JsonSchema {
    return { type: 'string', pattern: PATTERN };
  }

  override written(value: number): string {
    return new Date(value).toISOString();
  }
}

/** Milliseconds since 1970 of a date with a time and an offset; undefined for any other text. */
export function readInstant(text: string): number | undefined {
  const [, date, time, offset] = SHAPE.exec(text) ?? [];
  if (date === undefined || time === undefined || offset === undefined) return undefined;
  // Date accepts days that the month does not have.
  const day = new Date(`${date}T00:00:00Z`);
  if (Number.isNaN(day.getTime()) || !day.toISOString().startsWith(date)) return undefined;
  const clock = time.length === 5 ? `${time}:00` : time;
  const instant = Date.parse(`${date}T${clock.slice(0, 12)}${offset.toUpperCase()}`);
  return Number.isNaN(instant) || instant < 0 ? undefined : instant;
}
