/** The kinds of policy, compile halves. Derived: `npm run registry` writes it from the folders here. */
import type { PolicyDeclaration } from './contract.js';

export const declarations: readonly PolicyDeclaration[] = [];

export const declarationOf = (use: string): PolicyDeclaration | undefined =>
  declarations.find((declaration) => declaration.use === use);
