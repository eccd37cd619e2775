/** The kinds of policy, run halves. Derived: `npm run registry` writes it from the folders here. */
import type { CreatePolicy } from './contract.js';

export const runHalves: { readonly [use: string]: CreatePolicy } = {};
