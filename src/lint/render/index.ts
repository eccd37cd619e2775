/** Renders diagnostics in all formats. Pure: text in, text out. */
import { isAbsolute, relative } from 'node:path';
import type { Diagnostic, Span } from '../../schema/diagnostic.js';
import type { SourceFile } from '../../spec/model.js';
import { renderGithub } from './github.js';
import { renderJson } from './json.js';
import { renderJunit } from './junit.js';
import type { Format, RenderOptions } from './options.js';
import { renderPretty } from './pretty.js';
import { renderSarif } from './sarif.js';

export { FORMATS, type Format, type RenderOptions } from './options.js';

const RENDERERS: Readonly<
  Record<Format, (diagnostics: readonly Diagnostic[], files: readonly SourceFile[], options: RenderOptions) => string>
> = { pretty: renderPretty, json: renderJson, sarif: renderSarif, github: renderGithub, junit: renderJunit };

/** Renders diagnostics, which must be sorted. The result ends with a newline unless it is empty. */
export function render(
  diagnostics: readonly Diagnostic[],
  files: readonly SourceFile[],
  format: Format,
  options: RenderOptions,
): string {
  if (options.base === undefined) return RENDERERS[format](diagnostics, files, options);
  const { base } = options;
  const shown = new Map(files.map((file) => [file.path, shownPath(base, file)]));
  // A bundle is not among the files: its span names it by its absolute path.
  const nameOf = (file: string): string => shown.get(file) ?? (isAbsolute(file) ? relative(base, file) : file);
  const move = (span: Span): Span => ({ ...span, file: nameOf(span.file) });
  return RENDERERS[format](
    diagnostics.map((diagnostic) => relocated(diagnostic, move)),
    files.map((file) => ({ ...file, path: shown.get(file.path) ?? file.path })),
    options,
  );
}

const shownPath = (base: string, file: SourceFile): string => relative(base, file.absolute) || file.path;

/** A copy of the diagnostic with `move` applied to each span. */
export function relocated(diagnostic: Diagnostic, move: (span: Span) => Span): Diagnostic {
  const { related, fix } = diagnostic;
  return {
    ...diagnostic,
    span: move(diagnostic.span),
    ...(related ? { related: related.map((place) => ({ ...place, span: move(place.span) })) } : {}),
    ...(fix ? { fix: { ...fix, edits: fix.edits.map((edit) => ({ ...edit, span: move(edit.span) })) } } : {}),
  };
}
