/** How long a service keeps what it knows of its targets: addresses and connections. */
import { CONNECTION_AGE } from '../../bundle/types.js';
import { s } from '../../schema/declare.js';

export const refresh = () =>
  s
    .duration({ min: 1000 })
    .describe(
      'Longest time between two lookups of the names of targets. Default: their time to live in DNS, or 10 s if that is not known.',
      '5s',
    )
    .optional();

export const maxConnectionAge = () =>
  s
    .duration()
    .describe(
      'Age from which a connection to a target serves no further request, so that new targets behind the same address get connections too; up to a fifth less, so that not all end at once; `0s`: no limit.',
    )
    .default(CONNECTION_AGE);
