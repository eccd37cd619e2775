/** Passive health: what ejects targets of a service, and for how long. */
import { s } from '../../schema/declare.js';

/** Milliseconds, and percentages. */
export const EJECT_DEFAULTS = { forMax: 300_000, share: 50, panicBelow: 20 };

export const eject = () => ({
  eject_after: s
    .integer()
    .describe('Number of consecutive failures after which a target is ejected; 0: never.')
    .default(5),
  eject_for: s
    .duration()
    .describe(
      'How long a target stays ejected the first time. Each further ejection is longer by as much, and shorter again after it has served that long.',
    )
    .default(10_000),
  eject_for_max: s.duration().describe('The longest ejection.').default(EJECT_DEFAULTS.forMax),
  eject_after_5xx: s
    .integer()
    .describe(
      'Number of consecutive replies with status 5xx after which a target is ejected; 0: such replies do not count.',
    )
    .default(0),
  eject_slow: s
    .integer({ max: 1000 })
    .check('schema/range', (times) => (times === 1 ? 'Expected 0, or an integer from 2 to 1000, found 1.' : undefined))
    .describe(
      'A target is ejected if its replies take this many times as long as those of the other targets, as means over 10 seconds with at least 20 replies of each; 0: never.',
    )
    .default(0),
  eject_share: s
    .integer({ min: 1, max: 100 })
    .describe('Maximum percentage of the targets that is ejected at the same time, rounded up.')
    .default(EJECT_DEFAULTS.share),
  panic_below: s
    .integer({ max: 100 })
    .describe(
      'If fewer than this percentage of the targets are available, all are used: those that are left would not carry the load. All are always used if none is available.',
    )
    .default(EJECT_DEFAULTS.panicBelow),
});
