/** The program of a bundle as an explanation runs it: with the variables of this machine, and without connections. */
import { resolveReferences } from '../bundle/references.js';
import type { Program, RefString } from '../bundle/types.js';
import type { Reference } from '../reference-syntax.js';
import { HiddenValues } from './hidden-values.js';

/** Placeholder for a target with an unknown address; `.invalid` never resolves (RFC 2606). */
export const UNKNOWN_TARGET = 'http://unresolved.invalid';

/** Policies refuse secrets that are shorter: HS512 needs the most. */
const LONGEST_SECRET = 64;

/**
 * The program as it can run here. References without a value stay as written; targets without an address get a placeholder, and
 * credentials of consumers with an unknown id are removed. `hidden`: the values of references.
 */
export function offlineProgram(
  program: Program,
  env: { readonly [name: string]: string | undefined },
): { program: Program; unresolved: ReadonlySet<string>; hidden: HiddenValues } {
  const unresolved = new Set<string>();
  const values = new Map<string, string>();
  const resolve = ({ kind, name, fallback, text }: Reference): string => {
    const value = kind === 'env' ? env[name] : undefined;
    const known = (value === '' ? (fallback ?? value) : value) ?? (kind === 'env' ? fallback : undefined);
    if (known === undefined) unresolved.add(text);
    else if (known !== fallback) values.set(known, text);
    return known ?? text;
  };
  /** A secret without a value must not look too short: its route, and all others, could not be explained. */
  const stand = (reference: Reference): string => {
    const value = resolve(reference);
    if (value !== reference.text || value.length >= LONGEST_SECRET) return value;
    const long = value.padEnd(LONGEST_SECRET, '.');
    values.set(long, value);
    return long;
  };
  const whole = resolveReferences({ ...program, policies: [] }, resolve);
  const policies = resolveReferences(program.policies, stand);
  // No connection is opened, and the files of certificates may be elsewhere.
  const services = whole.services.map(({ tls: _, sticky, ...service }) => ({
    ...service,
    // A secret without a value must not look too short.
    ...(sticky === undefined ? {} : { sticky: { ...sticky, key: written(sticky.key).padEnd(LONGEST_SECRET, '.') } }),
    targets: service.targets.map((target) => ({
      ...target,
      url: URL.canParse(written(target.url)) ? target.url : UNKNOWN_TARGET,
    })),
  }));
  const consumers = whole.consumers.map((consumer) => ({
    ...consumer,
    credentials: consumer.credentials.filter(({ id }) => !written(id).includes('${')),
  }));
  return { program: { ...whole, policies, services, consumers }, unresolved, hidden: new HiddenValues(values) };
}

export const written = (value: RefString): string => (typeof value === 'string' ? value : value.$ref);
