/** What a program needs from its machine before it can run: variables, files, certificates. */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { listReferences, resolveReferences } from '../bundle/references.js';
import type { PolicyPlan, Program, RefString } from '../bundle/types.js';
import { INPUT_LIMITS, readInputText } from '../input-file.js';
import { codeOf, reasonOf } from '../reason.js';
import type { Reference } from '../reference-syntax.js';
import type { Diagnostic, Span } from '../schema/diagnostic.js';
import { controlError, startOf } from './codes.js';
import type { RunSettings } from './managed/process.js';
import type { Reads } from './watch/reads.js';

const SECRET = { maxBytes: INPUT_LIMITS.secret };

/** Text to search for where a reference was written. For a bundle there is none, and its own path stands in. */
export interface Written {
  readonly files: readonly { readonly path: string; readonly text: string }[];
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

/** Resolves every reference of `program`; what cannot be resolved is told, each where it was written. */
export function resolveProgram(program: Program, surroundings: Surroundings, written: Written): Resolved {
  const diagnostics: Diagnostic[] = [];
  const values = new Map<string, string>();
  for (const reference of listReferences(program)) {
    const found = read(reference, surroundings);
    values.set(reference.text, found.value ?? '');
    if (found.problem === undefined) continue;
    const { kind, name, text } = reference;
    const otherwise = reference.fallback === undefined ? `, or write a default: \`\${${kind}:${name}:-value}\`` : '';
    const help =
      kind === 'env'
        ? `Set ${name} in the environment of \`gw serve\`${otherwise}.`
        : `Check the path, which is relative to the spec${otherwise}.`;
    for (const span of spansOf(text, written)) {
      diagnostics.push(controlError('reference/unresolved', span, found.problem, help));
    }
  }
  const whole = resolveReferences(program, ({ text }) => values.get(text) ?? '');
  if (diagnostics.length > 0) return { program: whole, diagnostics };
  diagnostics.push(...checkValues(program, whole, written));
  const listeners = whole.listeners.map((listener) => {
    if (!listener.tls) return listener;
    const cert = pem(listener.tls.cert, 'certificate', listener.name, surroundings, written);
    const key = pem(listener.tls.key, 'key', listener.name, surroundings, written);
    for (const part of [cert, key]) if (typeof part !== 'string') diagnostics.push(part);
    return typeof cert === 'string' && typeof key === 'string'
      ? { ...listener, tls: { ...listener.tls, cert, key } }
      : listener;
  });
  const policies = whole.policies.map((policy, index) => rehashed(program.policies[index], policy));
  return { program: { ...whole, listeners, policies }, diagnostics };
}

/** A plan with a reference has the identity of what the reference holds: another value must not find the old policy. */
function rehashed(before: PolicyPlan | undefined, after: PolicyPlan): PolicyPlan {
  const plan = JSON.stringify(after.plan);
  if (before === undefined || JSON.stringify(before.plan) === plan) return after;
  const identity = createHash('sha256').update(after.identity).update(plan).digest('hex').slice(0, 32);
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

/** What a reference holds. Its default counts where there is nothing, or only an empty text, as in a shell. */
function read(reference: Reference, surroundings: Surroundings): { value?: string; problem?: string } {
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
    return { problem, missing: codeOf(error) === 'ENOENT' };
  }
}

function pem(
  value: RefString,
  what: 'certificate' | 'key',
  listener: string,
  { root, reads }: Surroundings,
  written: Written,
): string | Diagnostic {
  const text = plain(value);
  if (text.includes('-----BEGIN')) return text;
  const path = resolve(root, text);
  reads.note(path);
  try {
    return readInputText(path, SECRET);
  } catch (error) {
    const span = spansOf(JSON.stringify(text), written)[0] ?? startOf(written.fallback);
    const message = `The ${what} of listener \`${listener}\` cannot be read: ${reasonOf(error)}.`;
    return controlError('listener/certificate', span, message, `Looked for it at ${path}.`);
  }
}

/** What the schema checked for plain strings is checked here for those that came by a reference. Values stay unsaid. */
function checkValues(before: Program, after: Program, written: Written): Diagnostic[] {
  const found: Diagnostic[] = [];
  const check = (from: RefString | undefined, to: RefString | undefined, test: RegExp, expected: string): void => {
    if (from === undefined || to === undefined || typeof from === 'string' || test.test(plain(to))) return;
    for (const span of spansOf(from.$ref, written)) {
      found.push(controlError('reference/invalid', span, `What \`${from.$ref}\` holds is not ${expected}.`));
    }
  };
  const address = /^(\[[0-9a-fA-F:.]+\]|[^:\s/]*):\d{1,5}$/;
  before.listeners.forEach((listener, index) => {
    check(listener.address, after.listeners[index]?.address, address, 'an address such as `127.0.0.1:8080`');
  });
  check(before.admin.address, after.admin.address, address, 'an address such as `127.0.0.1:9090`');
  check(before.admin.token, after.admin.token, /^\S+$/, 'a token: it is empty or holds spaces');
  before.services.forEach((service, at) => {
    service.targets.forEach((target, index) => {
      const to = after.services[at]?.targets[index]?.url;
      check(target.url, to, /^https?:\/\/[^/\s?#@]+(\/[^\s?#]*)?$/, 'a URL such as `http://127.0.0.1:4003`');
    });
  });
  before.consumers.forEach((consumer, at) => {
    consumer.apiKeys.forEach((key, index) => {
      check(key, after.consumers[at]?.apiKeys[index], /^sha256:[0-9a-f]{64}$/, 'the hash of a key, `sha256:<64 hex>`');
    });
  });
  return found;
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
