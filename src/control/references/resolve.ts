/** Resolves what a program takes from its machine before it can run: variables, files, certificates. */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { listReferences, resolveReferences } from '../../bundle/references.js';
import { ONE_INSTANCE, type PolicyEntry, type Program, type RefString, type VaultEntry } from '../../bundle/types.js';
import { INPUT_LIMITS, readInputText } from '../../input-file.js';
import { positionAt } from '../../lint/edits.js';
import { errnoCode, reasonOf } from '../../reason.js';
import { type Reference, splitReferences } from '../../reference-syntax.js';
import type { Diagnostic, Span } from '../../schema/diagnostic.js';
import type { SourceFile } from '../../spec/model.js';
import { controlError, startOf } from '../codes.js';
import type { RunSettings } from '../managed/process.js';
import type { Reads } from '../watch/reads.js';
import { Pems, plain } from './pems.js';
import { Places } from './places.js';
import { type ReferenceUse, usesOf } from './uses.js';

const SECRET = { maxBytes: INPUT_LIMITS.secret };

/** The text of the spec, to find where a reference is written. A bundle has none. */
export interface Written {
  readonly files: readonly Pick<SourceFile, 'path' | 'text'>[];
  /** Path that a diagnostic names if no text contains the reference. */
  readonly fallback: string;
}

export interface Resolved {
  /** Every RefString is a string; TLS certificates and keys are PEM text. */
  readonly program: Program;
  readonly diagnostics: readonly Diagnostic[];
}

/** Secrets by `PATH#KEY`: the value, or why there is none, a sentence. */
export interface SecretLookup {
  find(name: string): { readonly value?: string; readonly problem?: string };
}

export interface Surroundings {
  /** The folder of the spec; relative paths start there. */
  readonly root: string;
  readonly env: { readonly [name: string]: string | undefined };
  /** Records every file that is read: a change of one is a change of the spec. */
  readonly reads: Reads;
  /** The secrets of Vault, which were read before. */
  readonly secrets: SecretLookup;
}

/** Resolves every reference of `program`. A reference without a value, or with an invalid one, is reported at each place that uses it. */
export function resolveProgram(program: Program, surroundings: Surroundings, written: Written): Resolved {
  const places = new Places(program, written.files, written.fallback);
  const problems = new Map<string, Found & { readonly reference: Reference }>();
  const values = new Map<string, string>();
  // What says where values are written has no references, and is most of a program with many consumers.
  const { provenance, ...parts } = program;
  const references = listReferences(parts);
  for (const reference of references) {
    const found = read(reference, surroundings);
    values.set(reference.text, found.value ?? '');
    if (found.problem !== undefined) problems.set(reference.text, { ...found, reference });
  }
  const whole =
    references.length === 0
      ? program
      : { ...resolveReferences(parts, ({ text }) => values.get(text) ?? ''), provenance };
  const uses = [...usesOf(program, whole)];
  if (problems.size > 0) {
    const all = [...problems.values()];
    return { program: whole, diagnostics: all.flatMap((one) => unresolved(one, uses, places, written)) };
  }
  const diagnostics = uses.flatMap((use) => misfit(use, places, written) ?? []);
  const spanAt = (key: string, value: RefString): Span => {
    const [from, text] = typeof value === 'string' ? [value, JSON.stringify(value)] : [value.$ref, value.$ref];
    return places.find(key, from) ?? spansOf(text, written)[0] ?? places.of('');
  };
  const pems = new Pems(surroundings, spanAt, diagnostics);
  const listeners = whole.listeners.map((listener, index) => pems.ofListener(listener, program.listeners[index]));
  const services = whole.services.map((service, index) => pems.ofService(service, program.services[index]));
  const policies = whole.policies.map((policy, index) => rehashed(program.policies[index], policy));
  const acme = whole.acme && pems.ofAcme(whole.acme, program.acme);
  return { program: { ...whole, listeners, services, policies, ...(acme && { acme }) }, diagnostics };
}

/** The settings of Vault with their own references resolved, and the names of the secrets; undefined settings: they have a problem. */
export function vaultOf(
  { vault, provenance: _, ...parts }: Program,
  surroundings: Omit<Surroundings, 'secrets'>,
): { readonly entry: VaultEntry | undefined; readonly names: readonly string[] } {
  const names = listReferences(parts).flatMap(({ kind, name }) => (kind === 'vault' ? [name] : []));
  if (vault === undefined || names.length === 0) return { entry: undefined, names };
  const around = { ...surroundings, secrets: { find: () => ({ problem: 'a login cannot use secrets' }) } };
  let complete = true;
  const entry = resolveReferences(vault, (reference) => {
    const { value, problem } = read(reference, around);
    if (problem !== undefined) complete = false;
    return value ?? '';
  });
  return { entry: complete ? entry : undefined, names };
}

/** Where a use is written; if that is unknown, every place that contains its text. */
function spansOfUse(use: ReferenceUse, text: string, places: Places, written: Written): Span[] {
  const found = use.source === undefined ? places.find(use.at, text) : places.at(use.source, text);
  return found ? [found] : spansOf(text, written);
}

function unresolved(
  { problem, reference }: Found & { readonly reference: Reference },
  uses: readonly ReferenceUse[],
  places: Places,
  written: Written,
): Diagnostic[] {
  const { kind, name, text, fallback } = reference;
  const otherwise = fallback === undefined ? `, or write a default: \`\${${kind}:${name}:-value}\`` : '';
  const help =
    kind === 'env'
      ? `Set ${name} in the environment of \`gw serve\`${otherwise}.`
      : kind === 'vault'
        ? 'Check the path with its mount, the key, and that the login of `[vault]` may read it.'
        : `Check the path, which is relative to the spec${otherwise}.`;
  const found = new Map<string, Diagnostic>();
  const add = (span: Span, message: string): void => {
    found.set(
      `${span.file}:${span.start.line}:${span.start.column}`,
      controlError('reference/unresolved', span, message, help),
    );
  };
  for (const use of uses.filter(({ ref }) => ref.includes(text))) {
    for (const span of spansOfUse(use, text, places, written)) add(span, `${problem} It is used for ${use.what}.`);
  }
  if (found.size === 0) for (const span of spansOf(text, written)) add(span, problem ?? '');
  return [...found.values()];
}

/** The schema's checks of plain strings, for values from references. Values may be secrets, so messages omit them. */
function misfit(use: ReferenceUse, places: Places, written: Written): Diagnostic[] | undefined {
  const found = use.problem();
  if (found === undefined) return undefined;
  const names = splitReferences(use.ref).flatMap((part) => (typeof part === 'string' ? [] : [`\`${part.text}\``]));
  const message = `The value of ${names.join(' and ')} is not valid: ${use.what} ${found.message}.`;
  const spans = spansOfUse(use, use.ref, places, written);
  return spans.map((span) => controlError('reference/invalid', span, message, found.help));
}

/** The value of a reference. As in a shell, the default replaces a missing or empty value. */
function read(reference: Reference, surroundings: Surroundings): Found {
  const { kind, name, fallback } = reference;
  if (kind === 'vault') return surroundings.secrets.find(name);
  const found = kind === 'env' ? readVariable(name, surroundings) : readReferencedFile(name, surroundings);
  if (fallback !== undefined && (found.missing === true || found.value === '')) return { value: fallback };
  return found;
}

interface Found {
  readonly value?: string;
  readonly problem?: string;
  /** The variable or file does not exist: the only problem for which the default applies. */
  readonly missing?: boolean;
}

function readVariable(name: string, { env }: Surroundings): Found {
  const value = env[name];
  const problem = `The environment has no variable \`${name}\`.`;
  return value === undefined ? { problem, missing: true } : { value };
}

function readReferencedFile(name: string, { root, reads }: Surroundings): Found {
  const path = resolve(root, name);
  reads.note(path);
  try {
    // Editors add a final newline, which is not part of the value.
    return { value: readInputText(path, SECRET).replace(/\r?\n$/, '') };
  } catch (error) {
    const problem = `The file \`${name}\` cannot be read: ${reasonOf(error)}.`;
    return { problem, missing: errnoCode(error) === 'ENOENT' };
  }
}

/** Includes resolved values in a policy's identity: with another value it is another policy. */
function rehashed(before: PolicyEntry | undefined, after: PolicyEntry): PolicyEntry {
  if (before?.settings === after.settings) return after;
  const settings = JSON.stringify(after.settings);
  if (before === undefined || JSON.stringify(before.settings) === settings) return after;
  const identity = createHash('sha256').update(after.identity).update(settings).digest('hex').slice(0, 32);
  return { ...after, identity };
}

/** The processes of a resolved program's managed services. */
export function runsOf(program: Program, root: string): Map<string, RunSettings> {
  const runs = new Map<string, RunSettings>();
  for (const { name, run } of program.services) {
    if (!run) continue;
    const env = Object.fromEntries(Object.entries(run.env).map(([key, value]) => [key, plain(value)]));
    const { command, portEnv, readyTimeout, instances = ONE_INSTANCE } = run;
    const { drainTimeout } = program;
    const cwd = resolve(root, run.cwd ?? '.');
    runs.set(name, { command, portEnv, readyTimeout, env, cwd, instances, drainTimeout });
  }
  return runs;
}

/** Every place that contains `text` in the sources; at least one span. */
function spansOf(text: string, written: Written): Span[] {
  const spans: Span[] = [];
  for (const file of written.files) {
    for (let at = file.text.indexOf(text); at >= 0; at = file.text.indexOf(text, at + text.length)) {
      spans.push({ file: file.path, start: positionAt(file.text, at), end: positionAt(file.text, at + text.length) });
    }
  }
  return spans.length > 0 ? spans : [startOf(written.fallback)];
}
