/** What a program needs from its machine before it can run: variables, files, certificates. */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { listReferences, resolveReferences } from '../../bundle/references.js';
import type { ListenerEntry, PolicyEntry, Program, RefString } from '../../bundle/types.js';
import { INPUT_LIMITS, readInputFile, readInputText } from '../../input-file.js';
import { errnoCode, reasonOf } from '../../reason.js';
import { type Reference, splitReferences } from '../../reference-syntax.js';
import type { Diagnostic, Span } from '../../schema/diagnostic.js';
import type { SourceFile } from '../../spec/model.js';
import { controlError, controlWarning, startOf } from '../codes.js';
import type { RunSettings } from '../managed/process.js';
import type { Reads } from '../watch/reads.js';
import { isDer, type PemProblem, pairProblem } from './certificates.js';
import { Places } from './places.js';
import { type ReferenceUse, usesOf } from './uses.js';

const SECRET = { maxBytes: INPUT_LIMITS.secret };

/** Text to search for where a reference was written. For a bundle there is none, and its own path stands in. */
export interface Written {
  readonly files: readonly Pick<SourceFile, 'path' | 'text'>[];
  /** What is named when no text holds it. */
  readonly fallback: string;
}

export interface Resolved {
  /** Every RefString is a string; TLS certificates and keys are PEM text. */
  readonly program: Program;
  readonly diagnostics: readonly Diagnostic[];
}

export interface Surroundings {
  /** The folder of the spec; relative paths start there. */
  readonly root: string;
  readonly env: { readonly [name: string]: string | undefined };
  /** Notes every file that is read: a change of one is a change of the spec. */
  readonly reads: Reads;
}

/** Resolves every reference of `program`; a reference that cannot be resolved, or whose value does not fit, is reported at each place where it is used. */
export function resolveProgram(program: Program, surroundings: Surroundings, written: Written): Resolved {
  const places = new Places(program, written.files, written.fallback);
  const problems = new Map<string, Found & { readonly reference: Reference }>();
  const values = new Map<string, string>();
  for (const reference of listReferences(program)) {
    const found = read(reference, surroundings);
    values.set(reference.text, found.value ?? '');
    if (found.problem !== undefined) problems.set(reference.text, { ...found, reference });
  }
  const whole = resolveReferences(program, ({ text }) => values.get(text) ?? '');
  const uses = [...usesOf(program, whole)];
  if (problems.size > 0) {
    const all = [...problems.values()];
    return { program: whole, diagnostics: all.flatMap((one) => unresolved(one, uses, places, written)) };
  }
  const diagnostics = uses.flatMap((use) => misfit(use, places, written) ?? []);
  const listeners = whole.listeners.map((listener, index) => {
    const tls = program.listeners[index]?.tls;
    const span = (key: 'cert' | 'key'): Span => {
      const value = tls?.[key] ?? '';
      const [from, text] = typeof value === 'string' ? [value, JSON.stringify(value)] : [value.$ref, value.$ref];
      return places.find(`listener.${listener.name}.tls.${key}`, from) ?? spansOf(text, written)[0] ?? places.of('');
    };
    return withPems(listener, surroundings, span, diagnostics);
  });
  const policies = whole.policies.map((policy, index) => rehashed(program.policies[index], policy));
  return { program: { ...whole, listeners, policies }, diagnostics };
}

/** Where a use was written; if that is unknown, the places where its text stands. */
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
      : `Check the path, which is relative to the spec${otherwise}.`;
  const found = new Map<string, Diagnostic>();
  const add = (span: Span, message: string): void => {
    found.set(
      `${span.file}:${span.start.line}:${span.start.column}`,
      controlError('reference/unresolved', span, message, help),
    );
  };
  for (const use of uses.filter(({ ref }) => ref.includes(text))) {
    for (const span of spansOfUse(use, text, places, written)) add(span, `${problem} It is needed for ${use.what}.`);
  }
  if (found.size === 0) for (const span of spansOf(text, written)) add(span, problem ?? '');
  return [...found.values()];
}

/** What the schema checked for plain strings is checked here for those that came by a reference. Values stay unsaid. */
function misfit(use: ReferenceUse, places: Places, written: Written): Diagnostic[] | undefined {
  const found = use.problem();
  if (found === undefined) return undefined;
  const names = splitReferences(use.ref).flatMap((part) => (typeof part === 'string' ? [] : [`\`${part.text}\``]));
  const message = `The value of ${names.join(' and ')} does not fit: ${use.what} ${found.message}.`;
  const spans = spansOfUse(use, use.ref, places, written);
  return spans.map((span) => controlError('reference/invalid', span, message, found.help));
}

/** What a reference holds. Its default counts where there is nothing, or only an empty text, as in a shell. */
function read(reference: Reference, surroundings: Surroundings): Found {
  const { kind, name, fallback } = reference;
  const found = kind === 'env' ? readVariable(name, surroundings) : readReferencedFile(name, surroundings);
  if (fallback !== undefined && (found.missing === true || found.value === '')) return { value: fallback };
  return found;
}

interface Found {
  readonly value?: string;
  readonly problem?: string;
  /** There is none, which a default makes up for; other problems it does not. */
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
    // Every editor ends a file with a newline; no secret does.
    return { value: readInputText(path, SECRET).replace(/\r?\n$/, '') };
  } catch (error) {
    const problem = `The file \`${name}\` cannot be read: ${reasonOf(error)}.`;
    return { problem, missing: errnoCode(error) === 'ENOENT' };
  }
}

/** Settings with a reference has the identity of what the reference holds: another value must not find the old policy. */
function rehashed(before: PolicyEntry | undefined, after: PolicyEntry): PolicyEntry {
  const settings = JSON.stringify(after.settings);
  if (before === undefined || JSON.stringify(before.settings) === settings) return after;
  const identity = createHash('sha256').update(after.identity).update(settings).digest('hex').slice(0, 32);
  return { ...after, identity };
}

/** What each managed service of a resolved program runs. */
export function runsOf(program: Program, root: string): Map<string, RunSettings> {
  const runs = new Map<string, RunSettings>();
  for (const { name, run } of program.services) {
    if (!run) continue;
    const env = Object.fromEntries(Object.entries(run.env).map(([key, value]) => [key, plain(value)]));
    const { command, portEnv, readyTimeout } = run;
    runs.set(name, { command, portEnv, readyTimeout, env, cwd: resolve(root, run.cwd ?? '.') });
  }
  return runs;
}

/** The string of a RefString that resolveProgram has been over. */
export function plain(value: RefString): string {
  if (typeof value === 'string') return value;
  throw new Error('A reference was not resolved before its use.');
}

/** A listener with its certificate and key as PEM texts; what is wrong with them is added to `diagnostics`. */
function withPems(
  listener: ListenerEntry,
  surroundings: Surroundings,
  spanOf: (key: 'cert' | 'key') => Span,
  diagnostics: Diagnostic[],
): ListenerEntry {
  const { tls, name } = listener;
  if (!tls) return listener;
  const cert = readPem(plain(tls.cert), surroundings);
  const key = readPem(plain(tls.key), surroundings);
  const tell = (part: PemProblem['part'], message: string, help: string, warning = false): void => {
    const file = (part === 'certificate' ? cert : key).path;
    const span = spanOf(part === 'certificate' ? 'cert' : 'key');
    const whole = `The ${part} of listener \`${name}\` ${message}.`;
    const where = file === undefined ? help : `${help} The file is ${file}.`;
    diagnostics.push(
      warning
        ? controlWarning('listener/certificate-dates', span, whole, where)
        : controlError('listener/certificate', span, whole, where),
    );
  };
  if (cert.problem) tell('certificate', ...cert.problem);
  if (key.problem) tell('key', ...key.problem);
  if (cert.problem || key.problem) return listener;
  const found = pairProblem(cert.text, key.text, Date.now());
  if (found) tell(found.part, found.message, found.help, found.warning);
  return { ...listener, tls: { ...tls, cert: cert.text, key: key.text } };
}

interface ReadPem {
  readonly text: string;
  /** Undefined where the text itself was given. */
  readonly path?: string;
  /** What continues a sentence, and help. */
  readonly problem?: readonly [string, string];
}

function readPem(text: string, { root, reads }: Surroundings): ReadPem {
  if (text.includes('-----BEGIN')) return { text };
  // Neither PEM nor the name of a file: what a reference to a file in another form brings.
  if (text === '' || /[\0-\x1f\ufffd]/.test(text)) {
    const message = text === '' ? 'is empty' : 'is neither in PEM form nor a path';
    return { text: '', problem: [message, 'Give the path of a PEM file, or a reference that holds PEM text.'] };
  }
  const path = resolve(root, text);
  reads.note(path);
  try {
    const bytes = readInputFile(path, SECRET);
    const help = 'Convert it to PEM: `openssl x509 -inform der -in FILE -out FILE.pem`, for a key `openssl pkey`.';
    if (isDer(bytes)) return { text: '', path, problem: ['is in DER form, which is binary; gw reads PEM', help] };
    return { text: bytes.toString('utf8'), path };
  } catch (error) {
    return { text: '', path, problem: [`cannot be read: ${reasonOf(error)}`, 'Check the path and its permissions.'] };
  }
}

/** Every place where `text` stands in the sources; at least one. */
function spansOf(text: string, written: Written): Span[] {
  const spans: Span[] = [];
  for (const file of written.files) {
    for (let at = file.text.indexOf(text); at >= 0; at = file.text.indexOf(text, at + text.length)) {
      spans.push({ file: file.path, start: positionAt(file.text, at), end: positionAt(file.text, at + text.length) });
    }
  }
  return spans.length > 0 ? spans : [startOf(written.fallback)];
}

function positionAt(text: string, offset: number): Span['start'] {
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  return { offset, line, column: offset - (before.lastIndexOf('\n') + 1) + 1 };
}
