/** Columns that text takes on a terminal. */
import { createRequire } from 'node:module';

type StringWidth = typeof import('string-width');

let loaded: StringWidth | undefined;

/** Loaded at the first text that is not plain ASCII: loading takes 70 ms, and most specs are ASCII. */
function stringWidth(text: string): number {
  loaded ??= createRequire(import.meta.url)('string-width') as StringWidth;
  return loaded.default(text);
}

export const displayWidth = (text: string): number => (/^[\x20-\x7e]*$/.test(text) ? text.length : stringWidth(text));
