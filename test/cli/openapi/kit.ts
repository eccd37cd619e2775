/** Documents and their import results, for the tests of the OpenAPI import. */
import * as assert from 'uvu/assert';
import { CommandError } from '../../../src/cli/exit-codes.js';
import { type ImportedSpec, importOpenApi } from '../../../src/cli/openapi/index.js';
import { checkSpec } from '../../../src/lint/index.js';
import type { Model } from '../../../src/spec/model.js';

export type Json = unknown;

export interface Checked extends ImportedSpec {
  readonly model: Model;
  /** `METHOD /path -> service`. */
  readonly lines: readonly string[];
}

export function imported(document: Json): Checked {
  const result = importOpenApi(JSON.stringify(document), 'openapi.json');
  const { value: model, diagnostics } = checkSpec({ path: 'gateway.toml', text: result.spec });
  assert.equal(
    diagnostics.map(({ code, message }) => `${code}: ${message}`),
    [],
    result.spec,
  );
  assert.ok(model);
  const lines = model.routes.map((route) => `${route.match.text} -> ${route.service?.name}`);
  return { ...result, model, lines };
}

export const withPaths = (paths: Json, more: object = {}): Json => ({
  openapi: '3.0.3',
  info: { title: 'Pet Store', version: '1' },
  servers: [{ url: 'http://127.0.0.1:3000' }],
  paths,
  ...more,
});

export const get = (name: string, more: object = {}): Json => ({ get: { operationId: name, responses: {}, ...more } });
export const parameter = (name: string, schema: Json, more: object = {}): Json => ({
  name,
  in: 'path',
  schema,
  ...more,
});

/** Matches of the routes of one path whose parameters have these schemas. */
export const matchesOf = (path: string, ...parameters: Json[]): string[] =>
  imported(withPaths({ [path]: get('one', { parameters }) })).lines.map((line) => line.replace(/ -> .*/, ''));

export function refused(text: string, name = 'openapi.json'): string {
  try {
    importOpenApi(text, name);
  } catch (error) {
    assert.instance(error, CommandError);
    assert.is((error as CommandError).kind, 'failed');
    return (error as CommandError).message;
  }
  throw new Error('not refused');
}
