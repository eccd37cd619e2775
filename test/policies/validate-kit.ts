/** Shared by the tests of validate: policies from files in memory, and their answers. */
import * as assert from 'uvu/assert';
import type { Json, PolicyFile, PolicyInstance, Reply } from '../../src/policies/contract.js';
import { runHalves } from '../../src/policies/run-registry.js';
import { before, bodyOf, compile, exchange, type Given, host, lint, world } from './support.js';

export type Files = { readonly [path: string]: unknown };

export const readFileOf =
  (files: Files) =>
  (path: string): PolicyFile => {
    const content = files[path];
    if (content === undefined) return { cause: 'no such file' };
    return { text: typeof content === 'string' ? content : JSON.stringify(content) };
  };

export const routes = (path: string, ...methods: string[]) => {
  const params = [...path.matchAll(/\{([^}:]+)/g)].map(([, name]) => name!);
  return [{ name: 'r', params, methods, path, schemes: ['http' as const] }];
};

export function made(text: string, files: Files, route = routes('/orders/{id}', 'POST')): PolicyInstance {
  const settings = compile('validate', text, { readFile: readFileOf(files), routes: route });
  assert.ok(settings !== undefined, 'it compiled to nothing');
  return runHalves['validate']!(JSON.parse(JSON.stringify(settings)) as Json, host(world()));
}

export const findings = (text: string, files: Files = {}, route = routes('/orders/{id}', 'POST')): string[] =>
  lint('validate', text, { readFile: readFileOf(files), routes: route });

export const JSON_TYPE = [['content-type', 'application/json']] as const;

/** Runs the request hooks; the failures, or the status and code of another problem with its failures, or `pass`. */
export function ask(policy: PolicyInstance, given: Given & { body?: string | Uint8Array }): unknown {
  const body = given.body;
  const on = { ...exchange({ headers: JSON_TYPE, ...given }), hasBody: body !== undefined };
  let reply = before(policy, on);
  if (reply === undefined && body !== undefined && policy.readsRequest?.(on) !== false) {
    reply = policy.onRequestBody?.(on, Buffer.from(body as string)) as Reply | undefined;
  }
  if (reply === undefined) return 'pass';
  const { errors, status, detail } = bodyOf(reply) as { errors?: { in: string; pointer: string; detail: string }[] } & {
    readonly [key: string]: Json;
  };
  const listed = (errors ?? []).map((error) => `${error.in} ${error.pointer} ${error.detail}`);
  if (reply.code !== 'validate/request') return [`${status} ${reply.code} ${detail}`, ...listed].join('\n');
  assert.is(status, 400);
  return listed;
}

/** A policy for `GET /a` or `POST /a` of a document with these parameters. */
export const withParameters = (parameters: readonly object[], more: object = {}): PolicyInstance => {
  const operation = { parameters, responses: {}, ...more };
  const files = { 'api.json': { openapi: '3.1.0', paths: { '/a': { post: operation } } } };
  return made('openapi = "api.json"', files, routes('/a', 'POST'));
};

export const query = (schema: unknown, more: object = {}): PolicyInstance =>
  withParameters([{ name: 'q', in: 'query', schema, ...more }]);

/** A policy for `POST /a` with this content of the body. */
export const withContent = (content: object): PolicyInstance => withParameters([], { requestBody: { content } });
export const typed = (type: string): { headers: [string, string][] } => ({ headers: [['content-type', type]] });
