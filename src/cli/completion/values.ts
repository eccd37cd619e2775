/** Values that a completion script asks for while a command line is written: names in the spec, and codes. */
import { resolve } from 'node:path';
import { statOf } from '../../spec/stat.js';
import type { Io } from '../io.js';
import type { Dynamic } from './tree.js';

/**
 * Values without repeats. A spec or bundle among `words` is read, otherwise the nearest gateway.toml. The list is empty when
 * it cannot be read; a spec with errors gives the names that can be read. Never rejects.
 */
export async function completions(io: Io, what: Dynamic, words: readonly string[]): Promise<readonly string[]> {
  try {
    if (what === 'codes') return (await import('../explain-code.js')).explainedCodes();
    const named = words.find((word) => /\.(toml|bundle)$/.test(word) && statOf(resolve(io.cwd, word))?.isFile());
    const names = await namesIn(io, named);
    return [...new Set(names[what])];
  } catch {
    // An error message would appear in the middle of the command line.
    return [];
  }
}

interface Names {
  readonly routes: readonly string[];
  readonly urls: readonly string[];
  readonly listeners: readonly string[];
  /** `orders=`: what begins the value of an option. */
  readonly services: readonly string[];
  readonly duties: readonly string[];
  readonly consumers: readonly string[];
}

/** Reads without linting or compiling: this runs at each press of Tab. */
async function namesIn(io: Io, given: string | undefined): Promise<Names> {
  const { decodedBundle, findSpec, isBundleFile, readBundleBytes } = await import('../spec.js');
  const path = findSpec(io, given);
  if (await isBundleFile(path)) {
    const { program } = await decodedBundle(path, await readBundleBytes(io, path));
    return {
      routes: program.routes.map(({ name }) => name),
      urls: program.routes.map(({ match }) => literalStart(match)),
      listeners: program.listeners.map(({ name }) => name),
      services: program.services.map(assignment),
      duties: program.policies.filter(({ duty }) => duty !== undefined).map(assignment),
      consumers: program.consumers.map(({ name }) => name),
    };
  }
  const { loadSpec } = await import('../../spec/index.js');
  const { value } = loadSpec({ path, pipes: false, code: 'none' });
  const { routes = [], listeners = [], services = [], policies = [], consumers = [] } = value ?? {};
  return {
    routes: routes.map(({ name }) => name),
    urls: routes.map(({ match }) => literalStart(match.text)),
    listeners: listeners.map(({ name }) => name),
    services: services.map(assignment),
    duties: [...policies, ...routes.flatMap((route) => route.policies.map(({ policy }) => policy))]
      .filter(({ declaration, config }) => declaration.duty?.(config) !== undefined)
      .map(assignment),
    consumers: [...consumers, ...(value?.stored.entries() ?? [])].map(({ name }) => name),
  };
}

const assignment = ({ name }: { readonly name: string }): string => `${name}=`;

/** `GET /orders/{id}/items` -> `/orders/`: the part of the path that is the same in every request. */
const literalStart = (match: string): string => match.slice(match.indexOf('/')).replace(/\{.*$/, '');
