/** See integration/cache/purge-law.ts. */
import { suite } from 'uvu';
import { addLaw } from '../integration/cache/purge-law.js';

const test = suite('purge-law');
addLaw(test, { memory: 40, 'a late store': 15, disk: 15 });

test.run();
