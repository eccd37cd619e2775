/**
 * The declaration language. One declaration per entity yields decoding with spans, the TypeScript type (`Infer`), the
 * JSON Schema for editors, and the reference page.
 *
 *     const target = s.object({ url: s.string().describe('...'), weight: s.integer({ min: 1 }).default(1) });
 *     type Target = Infer<typeof target>;
 */
import type { LimitRate } from '../state/types.js';
import { ArraySchema, EitherSchema, type Fields, MapSchema, ObjectSchema } from './compounds.js';
import { BooleanSchema, EnumSchema, IntegerSchema, ReferenceSchema, StringSchema, UnitSchema } from './scalars.js';
import { MappedSchema, type Schema } from './schema.js';
import type { TomlNode } from './tree.js';
import { formatDuration, formatRate, formatSize, parseDuration, parseRate, parseSize } from './units.js';

export {
  ArraySchema,
  EitherSchema,
  type Fields,
  type InferFields,
  MapSchema,
  ObjectSchema,
  reportUnknownKey,
} from './compounds.js';
export { EnumSchema, UnitSchema } from './scalars.js';
export {
  type Decoded,
  INVALID,
  type Infer,
  type JsonSchema,
  MappedSchema,
  Schema,
  WithAbsent,
  Wrapper,
} from './schema.js';

/** The words that declarations are written in. */
export const s = {
  string: (options: { pattern?: RegExp; expected?: string; nonEmpty?: boolean } = {}) => new StringSchema(options),
  /** `test` judges the text when it holds no reference. `sensitive`: the text may be a secret, not to be printed. */
  reference: (what: string, test?: (literal: string) => string | undefined, options: { sensitive?: boolean } = {}) =>
    new ReferenceSchema(what, test, options),
  boolean: () => new BooleanSchema(),
  integer: ({ min = 0, max = Number.MAX_SAFE_INTEGER }: { min?: number; max?: number } = {}) =>
    new IntegerSchema(min, max),
  duration: () =>
    new UnitSchema<number>(
      'duration',
      'a duration such as `"5s"` or `"250ms"`',
      '^\\d+(\\.\\d+)?(ms|s|min|m|h|d)$',
      parseDuration,
      formatDuration,
    ),
  size: () =>
    new UnitSchema<number>(
      'size',
      'a size such as `"10MiB"`',
      '^\\d+(\\.\\d+)?(B|kB|KB|KiB|MB|MiB|GB|GiB)$',
      parseSize,
      formatSize,
    ),
  rate: () =>
    new UnitSchema<LimitRate>(
      'rate',
      'a rate such as `"100/min"` or `"5/s"`',
      '^\\d+/\\d*(s|sec|second|m|min|minute|h|hour|d|day)$',
      parseRate,
      formatRate,
    ),
  enum: <const T extends string>(...values: T[]) => new EnumSchema<T>(values),
  array: <T>(item: Schema<T>, options: { min?: number } = {}) => new ArraySchema<T>(item, options),
  map: <T>(value: Schema<T>, keyCheck?: (key: string) => string | undefined) => new MapSchema<T>(value, keyCheck),
  object: <F extends Fields>(fields: F) => new ObjectSchema<F>(fields),
  either: <T>(...forms: { kinds: readonly TomlNode['kind'][]; schema: Schema<T> }[]) => new EitherSchema<T>(forms),
  mapped: <A, B>(inner: Schema<A>, to: (value: A) => B) => new MappedSchema<A, B>(inner, to),
};
