/** The kinds of action, run halves. Derived: `npm run registry` writes it from the folders here. */
import type { CreateAction } from '../policies/contract.js';
import { create as aggregate } from './aggregate/run.js';
import { create as mock } from './mock/run.js';
import { create as proxy } from './proxy/run.js';
import { create as redirect } from './redirect/run.js';
import { create as reply } from './reply/run.js';

export const runHalves: { readonly [use: string]: CreateAction } = {
  aggregate,
  mock,
  proxy,
  redirect,
  reply,
};
