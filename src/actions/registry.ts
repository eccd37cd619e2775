/** The kinds of action, compile halves. Derived: `npm run registry` writes it from the folders here. */
import type { ActionDeclaration } from '../policies/contract.js';
import aggregate from './aggregate/index.js';
import mock from './mock/index.js';
import proxy from './proxy/index.js';
import redirect from './redirect/index.js';
import reply from './reply/index.js';

export const declarations: readonly ActionDeclaration[] = [aggregate, mock, proxy, redirect, reply];

export const declarationOf = (use: string): ActionDeclaration | undefined =>
  declarations.find((declaration) => declaration.use === use);
