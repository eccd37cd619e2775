/** Resolves the references of consumers that are not in the program: those of files. */
import type { ConsumerEntry, Program } from '../../bundle/types.js';
import { type Resolved, resolveProgram, type Surroundings, type Written } from './resolve.js';

/** Most consumers have none. */
export const hasReferences = ({ credentials }: ConsumerEntry): boolean =>
  credentials.some(
    ({ id, data }) => typeof id !== 'string' || (data !== undefined && JSON.stringify(data).includes('"$ref"')),
  );

/** The consumers with their references resolved, and what could not be resolved. */
export function resolveConsumers(
  consumers: readonly ConsumerEntry[],
  program: Program,
  surroundings: Surroundings,
  written: Written,
): { readonly consumers: readonly ConsumerEntry[]; readonly diagnostics: Resolved['diagnostics'] } {
  const alone: Program = {
    ...program,
    admin: {},
    consumers,
    listeners: [],
    services: [],
    policies: [],
    routes: [],
    provenance: { files: [], origins: {} },
  };
  const { program: whole, diagnostics } = resolveProgram(alone, surroundings, written);
  return { consumers: whole.consumers, diagnostics };
}
