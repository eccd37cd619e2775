/** Config of the compress policy. */
import { type Infer, s } from '../compile-kit.js';

/** Text formats that many replies have. Images, fonts of the web and archives are compressed already. */
export const DEFAULT_TYPES = [
  'text/*',
  'application/json',
  'application/*+json',
  'application/javascript',
  'application/xml',
  'application/*+xml',
  'application/x-ndjson',
  'application/wasm',
  'image/svg+xml',
];

const level = (min: number, max: number, what: string) => s.integer({ min, max }).describe(what);

export const schema = s.object({
  codings: s
    .array(s.enum('zstd', 'br', 'gzip', 'deflate'), { min: 1 })
    .describe(
      'Content codings, the preferred one first: it is used where a client accepts several with equal weight. `zstd` needs Node 22.15 or later and is left out otherwise.',
    )
    .default(['zstd', 'br', 'gzip', 'deflate']),
  types: s
    .array(
      s.string({
        pattern: /^([a-z0-9!#$&^_.+-]+\/([a-z0-9!#$&^_.+-]*\*[a-z0-9!#$&^_.+-]*|[a-z0-9!#$&^_.+-]+)|\*\/\*)$/,
        expected: 'a media type in lower case such as `"application/json"`, `"text/*"` or `"application/*+json"`',
      }),
      { min: 1 },
    )
    .describe('Media types that are compressed, with wildcards.', ['text/*', 'application/json'])
    .default(DEFAULT_TYPES),
  min_size: s.size().describe('Smaller replies are sent as they are, if their length is known.').default(1024),
  // Each has at most one timer, and a policy has at most 10,000.
  max_streams: s
    .integer({ min: 1, max: 10_000 })
    .describe('Replies in each worker that are compressed at the same time; further ones are sent as they are.')
    .default(256),
  levels: s
    .object({
      zstd: level(1, 19, 'Level of zstd.').default(3),
      br: level(0, 11, 'Quality of Brotli.').default(4),
      gzip: level(1, 9, 'Level of gzip.').default(6),
      deflate: level(1, 9, 'Level of deflate.').default(6),
    })
    .describe('How much work each coding spends: more gives fewer bytes.')
    .default({ zstd: 3, br: 4, gzip: 6, deflate: 6 }),
});

export type CompressConfig = Infer<typeof schema>;

export type Coding = CompressConfig['codings'][number];

export type CompressSettings = {
  readonly codings: readonly Coding[];
  readonly types: readonly string[];
  /** Bytes. */
  readonly minSize: number;
  readonly maxStreams: number;
  readonly levels: { readonly [coding in Coding]: number };
};
