/** See purge-law.ts. `npm run drills -- purge-law` runs more histories. */
import { test } from 'uvu';
import { addLaw } from './purge-law.js';

addLaw(test, { memory: 4, 'a late store': 2, disk: 2 });

test.run();
