/** The first half of a reload: from a source (spec, bundle, model) to a checked program that can go live. */
import { createHash } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { decodeBundle } from '../../bundle/encode.js';
import { type Bundle, type CodeTexts, DEFAULT_CONTENT_BYTES, type Program } from '../../bundle/types.js';
import { compile } from '../../compiler/index.js';
import type { CodeThread } from '../../custom/code-thread.js';
import { INPUT_LIMITS, readInputFile } from '../../input-file.js';
import { checkSpec } from '../../lint/index.js';
import { render } from '../../lint/render/index.js';
import { reasonOf } from '../../reason.js';
import { type Diagnostic, hasErrors, sortDiagnostics } from '../../schema/diagnostic.js';
import { formatSize } from '../../schema/units.js';
import type { TreeCache } from '../../spec/index.js';
import type { MatchModel, Model, SourceFile, StoredConsumers } from '../../spec/model.js';
import { ConsumerStore } from '../../spec/stored/store.js';
import { controlError, controlWarning, startOf } from '../codes.js';
import { notePatterns, openConsumers, readStored, resolveStored, type StoredCandidate } from '../consumers/stored.js';
import type { RunSettings } from '../managed/process.js';
import { Places } from '../references/places.js';
import { resolveProgram, runsOf, vaultOf } from '../references/resolve.js';
import type { PreparedSecrets, VaultSecrets } from '../vault/secrets.js';
import { Reads } from '../watch/reads.js';
import type { MatchTexts } from './diff.js';
import { Rejected, type Rejection } from './reloader.js';
import { nameOfSource, type Source } from './source.js';

export interface Candidate {
  /** References resolved; managed services have no targets yet. */
  readonly program: Program;
  readonly trie: SharedArrayBuffer;
  /** The code of custom policies and actions; absent: none. */
  readonly code?: CodeTexts;
  /** Of the bundle. */
  readonly sha256: string;
  readonly runs: ReadonlyMap<string, RunSettings>;
  readonly matchTexts: MatchTexts;
  /** Differs whenever anything that the data plane would see differs, resolved values included. */
  readonly fingerprint: string;
  /** The consumers of files. */
  readonly stored: StoredCandidate;
  /** The folder of the spec or of the bundle. */
  readonly root: string;
  /** Sources, for the code frames of diagnostics. */
  readonly files: readonly SourceFile[];
  /** Warnings and infos. */
  readonly diagnostics: readonly Diagnostic[];
  /** What it was resolved from: it can be resolved again with other values of its secrets. */
  readonly compiled: Compiled;
  /** Its secrets, to be kept when it goes live. */
  readonly secrets: PreparedSecrets;
}

/** The result of an attempt, and the files that it read either way. */
export interface Attempt {
  readonly candidate: Candidate | undefined;
  readonly rejection: Rejection | undefined;
  readonly reads: Reads;
  /** The files of consumers. */
  readonly storedReads: Reads;
}

/** A program whose references are not resolved. */
export interface Compiled {
  readonly bundle: Bundle | undefined;
  readonly root: string;
  readonly files: readonly SourceFile[];
  readonly matchTexts: MatchTexts;
  readonly diagnostics: readonly Diagnostic[];
  /** Of a model; a bundle only names the files. */
  readonly stored?: StoredConsumers | undefined;
}

/** What builds of the same source share. */
export interface BuildTools {
  /** Runs compile parts of custom policies. Default: a thread of its own. */
  readonly code?: CodeThread;
  /** The trees of the build before. */
  readonly trees?: TreeCache;
  /** The consumers of files. Default: an empty store. */
  readonly store?: ConsumerStore;
}

/** The machine that a program is resolved for. */
export interface Machine {
  readonly env: { readonly [name: string]: string | undefined };
  /** Why only one worker can serve here; undefined if several can. */
  readonly alone: string | undefined;
  /** Bytes for contents that the gateway has since its start; absent: none yet. */
  readonly contentBytes?: number | undefined;
  readonly secrets: VaultSecrets;
}

/** Builds a candidate. Never rejects because of the content of a file. */
export async function build(source: Source, machine: Machine, tools: BuildTools = {}): Promise<Attempt> {
  const found = { reads: new Reads(), storedReads: new Reads() };
  const store = tools.store ?? new ConsumerStore();
  const compiled = compileSource(source, found, { ...tools, store });
  return resolveCompiled(compiled, source, machine, found, store);
}

/** Resolves the program of a candidate again: values outside of the spec have changed. */
export const rebuild = (
  { compiled }: Candidate,
  source: Source,
  machine: Machine,
  store: ConsumerStore,
): Promise<Attempt> =>
  resolveCompiled(compiled, source, machine, { reads: new Reads(), storedReads: new Reads() }, store);

/** The files that a build has read: of the spec, and of consumers. */
type Found = Pick<Attempt, 'reads' | 'storedReads'>;

async function resolveCompiled(
  compiled: Compiled,
  source: Source,
  { env, alone, contentBytes, secrets: vault }: Machine,
  found: Found,
  store: ConsumerStore,
): Promise<Attempt> {
  const failed = (diagnostics: readonly Diagnostic[], files: readonly SourceFile[]): Attempt => ({
    candidate: undefined,
    rejection: rejectionOf(diagnostics, files),
    ...found,
  });
  const fallback = source.kind === 'bundle' ? source.path : (compiled.files[0]?.path ?? '-');
  if (!compiled.bundle) return failed(compiled.diagnostics, compiled.files);
  const { bundle } = compiled;
  const around = { root: compiled.root, env, reads: found.reads };
  // Consumers of files may use secrets too.
  const open = compiled.stored ? openConsumers(compiled.stored) : [];
  const consumers = [...bundle.program.consumers, ...open];
  const { entry, names } = vaultOf(open.length === 0 ? bundle.program : { ...bundle.program, consumers }, around);
  const secrets = await vault.prepare(entry, compiled.root, names);
  const resolved = resolveProgram(bundle.program, { ...around, secrets }, { files: compiled.files, fallback });
  const asked = resolved.program;
  const program = alone === undefined ? asked : { ...asked, workers: 1 };
  const places = new Places(asked, compiled.files, fallback);
  const noted = [
    ...(asked.workers > program.workers ? [oneWorker(asked, places, alone ?? '')] : []),
    ...otherContentMemory(asked, places, contentBytes),
  ];
  const near = { program, root: compiled.root, env, reads: found.storedReads, secrets };
  notePatterns(near);
  const { stored, ...storing } = compiled.stored
    ? resolveStored(compiled.stored, near, true)
    : readStored(near, store, compiled.files, fallback);
  const diagnostics = [...compiled.diagnostics, ...resolved.diagnostics, ...noted, ...storing.diagnostics];
  const files = [...compiled.files, ...storing.files];
  if (!stored || hasErrors(diagnostics)) {
    secrets.abandon();
    return failed(diagnostics, files);
  }
  const trie = shared(bundle.trie);
  const candidate: Candidate = {
    program,
    trie,
    ...(bundle.code === undefined ? {} : { code: bundle.code }),
    sha256: bundle.sha256,
    runs: runsOf(program, compiled.root),
    matchTexts: compiled.matchTexts,
    stored,
    root: compiled.root,
    files,
    fingerprint: fingerprintOf(bundle, asked),
    diagnostics,
    compiled,
    secrets,
  };
  return { candidate, rejection: undefined, ...found };
}

/** The digest of a bundle identifies its program: only the parts that its references have changed are added. */
function fingerprintOf(bundle: Bundle, resolved: Program): string {
  const given = new Map<string, unknown>(Object.entries(bundle.program));
  const changed = Object.entries(resolved).filter(([key, value]) => given.get(key) !== value);
  return createHash('sha256').update(bundle.sha256).update(JSON.stringify(changed)).digest('hex');
}

/** A rejection for diagnostics that arose after the build: a bind, a managed target, the data plane. */
export function reject(diagnostics: readonly Diagnostic[], files: readonly SourceFile[] = []): Rejected {
  return new Rejected(rejectionOf(diagnostics, files));
}

/** The places in the spec of a candidate's entities. */
export const placesOf = ({ program, files }: Pick<Candidate, 'program' | 'files'>, source: Source): Places =>
  new Places(program, files, nameOfSource(source));

/** Diagnostics as a reload reports them. */
export interface DiagnosticReport {
  /** Rendered, without colour. */
  readonly diagnostics: string;
  readonly errors: number;
  readonly warnings: number;
}

/** Sorts, renders and counts what all steps of a reload collected. Paths are relative to the working directory. `files`: the sources that the frames show. */
export function reportOf(diagnostics: readonly Diagnostic[], files: readonly SourceFile[]): DiagnosticReport {
  return {
    diagnostics: render(sortDiagnostics(diagnostics), files, 'pretty', { color: false, base: process.cwd() }),
    errors: count(diagnostics, 'error'),
    warnings: count(diagnostics, 'warning'),
  };
}

function oneWorker(program: Program, places: Places, why: string): Diagnostic {
  const message = `The spec asks for ${program.workers} workers, but one serves: ${why}.`;
  const help = 'Nothing else changes: limits and counters are the same with one worker.';
  return controlWarning('gateway/workers', places.of('workers'), message, help);
}

/** A warning if the memory of contents would have another size after a restart. */
function otherContentMemory({ state }: Program, places: Places, has: number | undefined): Diagnostic[] {
  const asked = state?.contentMemory ?? DEFAULT_CONTENT_BYTES;
  if (has === undefined || has === asked) return [];
  const message = `The spec asks for ${formatSize(asked)} for contents, but the gateway has ${formatSize(has)} since it started.`;
  const help = 'Restart the gateway to change the size. Everything else in the spec is in force.';
  return [controlWarning('gateway/content-memory', places.of('state.content_memory'), message, help)];
}

function rejectionOf(diagnostics: readonly Diagnostic[], files: readonly SourceFile[]): Rejection {
  const report = reportOf(diagnostics, files);
  const first = sortDiagnostics(diagnostics).find((diagnostic) => diagnostic.severity === 'error');
  const more = report.errors > 1 ? ` (and ${report.errors - 1} more)` : '';
  return { summary: first ? `${first.code}: ${first.message}${more}` : 'rejected', ...report };
}

function compileSource(
  source: Source,
  { reads, storedReads }: Found,
  { code, trees, store }: BuildTools & { readonly store: ConsumerStore },
): Compiled {
  if (source.kind === 'bundle') {
    reads.note(resolve(source.path));
    return openBundle(source.path, source.publicKey);
  }
  if (source.kind === 'loaded') {
    return { bundle: source.bundle, root: source.root, files: [], matchTexts: new Map(), diagnostics: [] };
  }
  if (source.kind === 'model') return lower(source.model, []);
  const { path, overlays } = source;
  const {
    value: model,
    diagnostics,
    files,
  } = checkSpec({
    path,
    overlays,
    pipes: false,
    read: reads.readSpec,
    readNamed: reads.readNamed,
    code,
    trees,
    store: { store, read: storedReads.readBytes },
  });
  if (model && !hasErrors(diagnostics)) return lower(model, diagnostics);
  return { bundle: undefined, root: dirname(resolve(path)), files, matchTexts: new Map(), diagnostics };
}

function lower(model: Model, diagnostics: readonly Diagnostic[]): Compiled {
  const { bundle } = compile(model, { shared: true });
  const matchTexts = new Map(
    [...model.routes, ...model.policyRoutes].map((route) => [route.name, matchTextOf(route.match)]),
  );
  const { root, files, stored } = model;
  return { bundle, root, files: [...files, ...stored.sourcesOf(diagnostics)], matchTexts, diagnostics, stored };
}

const CODE_HELP =
  'Sign it with `gw compile --sign PRIVATE-KEY`, and start with `gw serve --verify PUBLIC-KEY`. Or serve the spec itself.';

function openBundle(path: string, publicKey: string | undefined): Compiled {
  const root = dirname(resolve(path));
  const none = { root, files: [], matchTexts: new Map<string, string>() };
  try {
    const bundle = decodeBundle(
      readInputFile(path, { maxBytes: INPUT_LIMITS.bundle }),
      publicKey === undefined ? {} : { publicKey },
    );
    if (bundle.code !== undefined && publicKey === undefined) {
      const names = (bundle.program.code ?? []).map(({ use }) => `\`${use}\``).join(', ');
      const message = `The bundle has code of custom policies or actions (${names}), which runs only if its signature is verified.`;
      return {
        ...none,
        bundle: undefined,
        diagnostics: [controlError('bundle/unsigned-code', startOf(path), message, CODE_HELP)],
      };
    }
    return { ...none, bundle, diagnostics: [] };
  } catch (error) {
    const message = `The bundle cannot be loaded: ${reasonOf(error)}`;
    return { ...none, bundle: undefined, diagnostics: [controlError('bundle/invalid', startOf(path), message)] };
  }
}

/** The part of a match that the program does not hold as text: patterns and conditions, without their spans. */
function matchTextOf(match: MatchModel): string {
  const { text: _text, span: _span, ...rest } = match;
  return JSON.stringify(rest, (key, value: unknown) => {
    if (key === 'span') return undefined;
    return key === 'dfa' && typeof value === 'object' && value !== null && 'source' in value ? value.source : value;
  });
}

function shared(trie: ArrayBufferLike): SharedArrayBuffer {
  if (trie instanceof SharedArrayBuffer) return trie;
  const copy = new SharedArrayBuffer(trie.byteLength);
  new Uint8Array(copy).set(new Uint8Array(trie));
  return copy;
}

const count = (diagnostics: readonly Diagnostic[], severity: string): number =>
  diagnostics.filter((diagnostic) => diagnostic.severity === severity).length;
