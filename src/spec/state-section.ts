/** `[state]`: where gw keeps what policies note, and how much. */
import { DEFAULT_CONTENT_BYTES, DEFAULT_DISK_BYTES } from '../bundle/types.js';
import { type Infer, s } from '../schema/declare.js';

export const state = s.object({
  content_memory: s
    .size({ min: 1024 ** 2, max: 2 * 1024 ** 3 })
    .describe(
      'Memory for contents with bodies, such as cached replies, once for all workers and policies. It is taken as contents arrive. A change needs a restart.',
    )
    .default(DEFAULT_CONTENT_BYTES),
  content_disk: s
    .size({ min: 16 * 1024 ** 2, max: 1024 ** 4 })
    .describe(
      'Room on disk for contents that policies keep there too, such as replies that are cached forever: in the folder `contents` of `path`, or `.gw/contents` beside the spec. When it is taken, the oldest contents make room, but none that is kept forever or until it expires.',
    )
    .default(DEFAULT_DISK_BYTES),
  path: s
    .string({ nonEmpty: true })
    .describe(
      'Folder for what must survive a restart, such as idempotency keys with `disk = true`. It is created if it is not there; one gateway uses it at a time. A change needs a restart.',
      'state',
    )
    .optional(),
});

export type StateConfig = Infer<typeof state>;
