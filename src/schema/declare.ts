/**
 * The declaration language. One declaration per entity yields decoding with spans, the TypeScript type (`Infer`), the
 * JSON Schema for editors, and the reference page.
 *
 *     const target = s.object({ url: s.string().describe('...'), weight: s.integer({ min: 1 }).default(1) });
 *     type Target = Infer<typeof target>;
 */
import type { LimitRate } from '../state/types.js';
import { ArraySchema, EitherSchema, type Fields, MapSchema, ObjectSchema } from './compounds.js';
import { ExpressionSchema } from './expression.js';
import { InstantSchema } from './instants.js';
import {
  BooleanSchema,
  EnumSchema,
  IntegerSchema,
  type Problem,
  ReferenceSchema,
  StringSchema,
  UnitSchema,
} from './scalars.js';
import { MappedSchema, type Schema } from './schema.js';
import type { TomlNode } from './tree.js';
import {
  formatDuration,
  formatRate,
  formatSize,
  LONGEST_DURATION,
  LONGEST_PERIOD,
  parseDuration,
  parseRate,
  parseSize,
} from './units.js';

export {
  ArraySchema,
  EitherSchema,
  type Fields,
  type InferFields,
  MapSchema,
  ObjectSchema,
  reportUnknownKey,
} from './compounds.js';
export { EnumSchema, type Problem, quoted, UnitSchema } from './scalars.js';
export {
  type Decoded,
  INVALID,
  type Infer,
  type JsonSchema,
  MappedSchema,
  Schema,
  unwrapped,
  WithAbsent,
  Wrapper,
} from './schema.js';

function outside(value: number, min: number, max: number, format: (value: number) => string): string | undefined {
  if (value < min) return `Expected at least \`${format(min)}\``;
  return value > max ? `Expected at most \`${format(max)}\`` : undefined;
}

/** Builders for declarations. */
export const s = {
  string: (options: { pattern?: RegExp; expected?: string; nonEmpty?: boolean } = {}) => new StringSchema(options),
  /** `test` checks a text without references. `sensitive`: the text may be a secret and must not be printed. */
  reference: (
    what: string,
    test?: (literal: string) => string | Problem | undefined,
    options: { sensitive?: boolean; template?: boolean } = {},
  ) => new ReferenceSchema(what, test, options),
  boolean: () => new BooleanSchema(),
  integer: ({ min = 0, max = Number.MAX_SAFE_INTEGER }: { min?: number; max?: number } = {}) =>
    new IntegerSchema(min, max),
  /** In milliseconds. `min`: the shortest one. Default: `"0s"`. `forever`: it may be `"forever"`, which is Infinity. */
  duration: ({ min = 0, forever = false }: { min?: number; forever?: boolean } = {}) =>
    new UnitSchema<number>({
      unit: 'duration',
      expected: `a duration such as \`"5s"\` or \`"250ms"\`${forever ? ', or `"forever"`' : ''}`,
      howTo: 'Write a duration as a number and a unit: `ms`, `s`, `min` (or `m`), `h` or `d`.',
      pattern: forever ? '^(forever|\\d+(\\.\\d+)?(ms|s|min|m|h|d))$' : '^\\d+(\\.\\d+)?(ms|s|min|m|h|d)$',
      parse: (text) => (forever && text === 'forever' ? Number.POSITIVE_INFINITY : parseDuration(text)),
      format: (ms) => (ms === Number.POSITIVE_INFINITY ? 'forever' : formatDuration(ms)),
      problem: (ms) =>
        ms === Number.POSITIVE_INFINITY ? undefined : outside(ms, min, LONGEST_DURATION, formatDuration),
    }),
  /** A date with a time and an offset, in milliseconds since 1970. */
  instant: () => new InstantSchema(),
  /** In bytes. */
  size: ({ min = 0, max = Number.MAX_SAFE_INTEGER }: { min?: number; max?: number } = {}) =>
    new UnitSchema<number>({
      unit: 'size',
      expected: 'a size such as `"10MiB"`',
      howTo: 'Write a size as a number and a unit: `B`, `kB`, `MB`, `GB`, or `KiB`, `MiB`, `GiB` for powers of 1024.',
      pattern: '^\\d+(\\.\\d+)?(B|kB|KB|KiB|MB|MiB|GB|GiB)$',
      parse: parseSize,
      format: formatSize,
      problem: (bytes) => outside(bytes, min, max, formatSize),
    }),
  rate: () =>
    new UnitSchema<LimitRate>({
      unit: 'rate',
      expected: 'a rate such as `"100/min"` or `"5/s"`',
      howTo: 'Write a rate as a whole number, `/` and a period: `s`, `min`, `h`, `day`, or a multiple: `"1000/15min"`.',
      pattern: '^\\d+/\\d*(s|sec|second|m|min|minute|h|hour|d|day)$',
      parse: parseRate,
      format: formatRate,
      problem: ({ periodMs }) =>
        periodMs > LONGEST_PERIOD ? 'Expected a period of at most a year (`366d`)' : undefined,
    }),
  /** A condition in CEL, for the host's condition(). `reply`: it is evaluated when there is a reply, and may read it. */
  expression: ({ reply = false }: { reply?: boolean } = {}) => new ExpressionSchema(reply),
  enum: <const T extends string>(...values: T[]) => new EnumSchema<T>(values),
  array: <T>(item: Schema<T>, options: { min?: number } = {}) => new ArraySchema<T>(item, options),
  map: <T>(value: Schema<T>, keyCheck?: (key: string) => string | undefined) => new MapSchema<T>(value, keyCheck),
  object: <F extends Fields>(fields: F) => new ObjectSchema<F>(fields),
  either: <T>(...forms: { kinds: readonly TomlNode['kind'][]; schema: Schema<T> }[]) => new EitherSchema<T>(forms),
  mapped: <A, B>(inner: Schema<A>, to: (value: A) => B) => new MappedSchema<A, B>(inner, to),
};
