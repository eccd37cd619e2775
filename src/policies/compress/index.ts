/** Compile part of compress. */
import { declarePolicy } from '../compile-kit.js';
import { type CompressConfig, type CompressSettings, schema } from './schema.js';

/** Slower than this, a coding limits the throughput of a worker more than the network does. */
const SLOW = { zstd: 12, br: 9 } as const;

export default declarePolicy<CompressConfig, CompressSettings>({
  use: 'compress',
  summary: 'Compresses replies with zstd, Brotli, gzip or deflate',
  phase: 'transform',
  // Outermost: the last step that sees the bytes of a body.
  replyPhase: 'coding',
  stateful: false,
  schema,
  replyOnly: () => true,
  codes: [
    { code: 'compress/repeated', severity: 'error', summary: 'A content coding is listed twice' },
    { code: 'compress/slow', severity: 'warning', summary: 'A level is too slow to compress replies as they are sent' },
    { code: 'compress/compressed-type', severity: 'warning', summary: 'A media type is compressed already' },
  ],
  lint(config, _context, report) {
    for (const [index, coding] of config.codings.entries()) {
      if (config.codings.indexOf(coding) === index) continue;
      report({
        code: 'compress/repeated',
        severity: 'error',
        at: ['codings', index],
        message: `The coding \`${coding}\` is listed twice.`,
        help: 'List each coding once, the preferred one first.',
      });
    }
    for (const [coding, slow] of Object.entries(SLOW)) {
      const level = config.levels[coding as keyof typeof SLOW];
      if (level < slow || !config.codings.includes(coding as keyof typeof SLOW)) continue;
      report({
        code: 'compress/slow',
        severity: 'warning',
        at: ['levels', coding],
        message: `Level ${level} of \`${coding}\` is meant for files that are compressed once: it takes many times the processor time of lower levels for a few per cent fewer bytes.`,
        help: `Use a level below ${slow}.`,
      });
    }
    for (const [index, type] of config.types.entries()) {
      if (!COMPRESSED.test(type)) continue;
      report({
        code: 'compress/compressed-type',
        severity: 'warning',
        at: ['types', index],
        message: `Content of type \`${type}\` is compressed already, so compressing it again costs time and saves nothing.`,
        help: 'Remove the type.',
      });
    }
  },
  compile: ({ codings, types, min_size, max_streams, levels }) => ({
    codings,
    types,
    minSize: min_size,
    maxStreams: max_streams,
    levels: { br: levels.br, deflate: levels.deflate, gzip: levels.gzip, zstd: levels.zstd },
  }),
});

const COMPRESSED =
  /^(image\/(png|jpeg|gif|webp|avif)|video\/.*|audio\/(mpeg|aac|ogg|opus)|font\/woff2?|application\/(zip|gzip|zstd|x-7z-compressed|x-rar-compressed|vnd\.rar|epub\+zip))$/;
