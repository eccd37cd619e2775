/** Programs in JSONata as the compiler sees them. */
import { compileJsonata, type JsonataRead } from '../kits/jsonata/index.js';

/** What a program reads; nothing of one that is not valid, which lint reports. */
export function readsOf(source: string): readonly JsonataRead[] {
  const program = compileJsonata(source);
  return 'error' in program ? [] : program.reads.bindings;
}
