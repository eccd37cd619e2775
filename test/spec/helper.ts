/** Specs in temporary folders, and short forms of their outcomes. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Diagnostic, sortDiagnostics } from '../../src/schema/diagnostic.js';
import { type LoadOutcome, loadSpec } from '../../src/spec/index.js';
import type { Model } from '../../src/spec/model.js';

export const HEAD = `spec = 1
[listener.main]
address = "127.0.0.1:8080"
[service.orders]
targets = ["http://127.0.0.1:4003"]
[policy.keys]
use = "api-key"
[policy.polite]
use = "rate-limit"
limit = "100/min"
by = "consumer"
`;

/** Calls `run` with a temporary folder that contains the files. */
export function inFolder<T>(files: { readonly [path: string]: string | Uint8Array }, run: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'gw-spec-'));
  try {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), content);
    }
    return run(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export const load = (text: string): LoadOutcome => loadSpec({ path: '/nowhere/gateway.toml', text });

export const loadFolder = (
  files: { readonly [path: string]: string | Uint8Array },
  overlays: readonly string[] = [],
): LoadOutcome =>
  inFolder(files, (folder) =>
    loadSpec({ path: join(folder, 'gateway.toml'), overlays: overlays.map((path) => join(folder, path)) }),
  );

/** Codes in the order of output. */
export const codesOf = (outcome: LoadOutcome): string[] => sortDiagnostics(outcome.diagnostics).map(({ code }) => code);

/** The model of a spec that must have no diagnostics. */
export function modelOf(outcome: LoadOutcome): Model {
  assert.equal(outcome.diagnostics, []);
  assert.ok(outcome.value);
  return outcome.value!;
}

/** The only diagnostic of a code. */
export function only(outcome: LoadOutcome, code: string): Diagnostic {
  const found = outcome.diagnostics.filter((diagnostic) => diagnostic.code === code);
  assert.is(found.length, 1, `${code}: ${JSON.stringify(codesOf(outcome))}`);
  return found[0]!;
}

/** The text that a diagnostic points at. */
export function pointed(outcome: LoadOutcome, span: Diagnostic['span']): string {
  const file = outcome.files.find(({ path }) => path === span.file);
  assert.ok(file, `no file ${span.file}`);
  return file!.text.slice(span.start.offset, span.end.offset);
}

/** The root file with a diagnostic's fix applied. */
export function fixed(outcome: LoadOutcome, diagnostic: Diagnostic): string {
  let text = outcome.files[0]!.text;
  const edits = [...(diagnostic.fix?.edits ?? [])].sort((a, b) => b.span.start.offset - a.span.start.offset);
  for (const edit of edits) text = text.slice(0, edit.span.start.offset) + edit.text + text.slice(edit.span.end.offset);
  return text;
}
