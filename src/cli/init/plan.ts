/** What `gw init` writes: a template's spec with what belongs around it. */

import { readFileSync } from 'node:fs';
import { keyHash, newKey } from '../../key-format.js';
import { specJsonSchema } from '../../spec/json-schema.js';
import { type ImportedSpec, importOpenApi } from '../openapi/index.js';
import { summary } from '../openapi/notes.js';
import { shellWord } from '../shell-word.js';
import { exampleCases, type TestCase } from './cases.js';
import type { Installation } from './installation.js';
import { workflowFiles } from './workflow.js';
import type { PlannedFile } from './write.js';

export const TEMPLATES = ['minimal', 'services', 'mock', 'openapi'] as const;
export type Template = (typeof TEMPLATES)[number];

export interface InitPlan {
  readonly files: readonly PlannedFile[];
  /** The key whose hash the spec holds; shown once. */
  readonly apiKey: { readonly key: string; readonly consumer: string } | undefined;
  /** What could not be taken over from an OpenAPI document: each note, and a few lines for a terminal. */
  readonly notes: readonly string[];
  readonly shortNotes: readonly { readonly warning: boolean; readonly text: string }[];
  /** Where the gateway listens. */
  readonly address: string;
  /** A request to try first, as arguments of curl. */
  readonly firstRequest: string;
  /** One that needs the API key, where the first does not. */
  readonly keyedRequest: string | undefined;
  /** Origins that must answer before it can succeed; undefined where gw itself answers or starts what does. */
  readonly needs: readonly string[] | undefined;
}

export interface OpenApiSource {
  readonly name: string;
  readonly text: string;
}

const templateFile = (path: string): string =>
  readFileSync(new URL(`../../../../templates/${path}`, import.meta.url), 'utf8');

export interface InitOptions {
  readonly template: Template;
  /** The OpenAPI document; without one, the template `openapi` brings its own. */
  readonly source?: OpenApiSource | undefined;
  /** Where the gateway listens. Default 8080, or the next port that no target of the document has. */
  readonly port?: number | undefined;
  readonly version: string;
  readonly installation: Installation;
  /** Where the project is in its repository; undefined writes no CI workflow. */
  readonly ci: string | undefined;
}

/** @throws Stop when `source` is not an OpenAPI document that gw can read, or when the gateway would call itself. */
export function initPlan({ template, source, port, version, installation, ci }: InitOptions): InitPlan {
  const start = template === 'openapi' ? fromOpenApi(source, port) : fromTemplate(template, port);
  const shared: PlannedFile[] = [
    { path: 'gateway.schema.json', content: `${JSON.stringify(specJsonSchema(), null, 2)}\n` },
    { path: 'gateway.test.mjs', content: testFile(start.cases) },
    ...(ci === undefined ? [] : workflowFiles(templateFile('shared/gateway.yml'), installation, version, ci)),
    { path: '.gitignore', content: templateFile('shared/gitignore'), merge: true },
  ];
  return {
    files: [{ path: 'gateway.toml', content: start.spec }, ...start.files, ...shared],
    address: start.address,
    apiKey: start.apiKey,
    notes: start.notes,
    shortNotes: start.shortNotes,
    firstRequest: firstRequest(start),
    keyedRequest: start.keyedPath === undefined ? undefined : keyedRequest(start, start.keyedPath),
    needs: start.needs,
  };
}

const keyedRequest = ({ address, apiKey }: Start, path: string): string =>
  `-H ${shellWord(`x-api-key: ${apiKey?.key}`)} ${shellWord(`http://${address}${path}`)}`;

function firstRequest({ address, cases, apiKey, keyPlaces }: Start): string {
  const first = cases.find(({ request }) => request.startsWith('GET '));
  const path = first?.request.slice('GET '.length) ?? '/';
  const places = (first?.route ? keyPlaces?.get(first.route) : undefined) ?? [];
  const key = apiKey?.key ?? '';
  const fields = places.flatMap((place) =>
    place.in === 'header' ? [`-H ${shellWord(`${place.name}: ${key}`)} `] : [],
  );
  const query = places.flatMap((place) => (place.in === 'query' ? [`${encodeURIComponent(place.name)}=${key}`] : []));
  return `${fields.join('')}${shellWord(`http://${address}${path}${query.length > 0 ? `?${query.join('&')}` : ''}`)}`;
}

interface Start {
  readonly spec: string;
  readonly address: string;
  readonly cases: readonly TestCase[];
  readonly files: readonly PlannedFile[];
  readonly notes: readonly string[];
  readonly shortNotes: InitPlan['shortNotes'];
  readonly apiKey: InitPlan['apiKey'];
  readonly needs: InitPlan['needs'];
  /** A path of the template that needs the API key. */
  readonly keyedPath?: string;
  /** By name of a route: where it reads keys. */
  readonly keyPlaces?: ImportedSpec['keyPlaces'];
}

/** Where the gateways of the templates listen, and where their services are expected. */
const PORT = 8080;
const SERVICE_PORT = 3000;

function fromTemplate(template: Exclude<Template, 'openapi'>, port = PORT): Start {
  const text = awayFrom(port, templateFile(`${template}/gateway.toml`)).replace(
    `127.0.0.1:${PORT}`,
    `127.0.0.1:${port}`,
  );
  const cases = JSON.parse(templateFile(`${template}/cases.json`)) as TestCase[];
  const start = { address: `127.0.0.1:${port}`, cases, notes: [], shortNotes: [], needs: undefined };
  const files = template === 'services' ? ['demo/products.mjs', 'demo/orders.mjs'] : [];
  const demo = files.map((path) => ({ path, content: templateFile(`${template}/${path}`) }));
  if (!text.includes('API_KEY_SHA256')) return { ...start, spec: text, files: demo, apiKey: undefined };
  const key = newKey();
  const hash = keyHash(key).slice('sha256:'.length);
  return {
    ...start,
    spec: text.replace('API_KEY_SHA256', hash),
    files: demo,
    keyedPath: '/orders',
    apiKey: { key, consumer: 'acme' },
  };
}

function fromOpenApi(given: OpenApiSource | undefined, port: number | undefined): Start {
  const source = given ?? { name: 'openapi.yaml', text: awayFrom(port, templateFile('openapi/openapi.yaml')) };
  const imported = importOpenApi(source.text, source.name, port);
  const { apiKey, files, notes, remarks, openness, keyPlaces, targets } = imported;
  const fragment: PlannedFile = {
    path: 'gateway.fragment.schema.json',
    content: `${JSON.stringify(specJsonSchema({ fragment: true }), null, 2)}\n`,
  };
  return {
    spec: given ? imported.spec : withDemo(imported.spec),
    address: imported.address,
    cases: exampleCases(imported.whole),
    files: [
      ...files,
      ...(files.length > 0 ? [fragment] : []),
      // The example document and its service. A document of one's own stays where it is.
      ...(given ? [] : [{ path: source.name, content: source.text }, demoOf('books.mjs')]),
    ],
    notes,
    shortNotes: [...summary(remarks), ...(openness === undefined ? [] : [{ warning: false, text: openness }])],
    apiKey: apiKey === undefined ? undefined : { key: apiKey, consumer: 'first' },
    keyPlaces,
    needs: given ? targets : undefined,
  };
}

/** A gateway that is its own target would call itself without end: the template's service moves out of its way. */
const awayFrom = (port: number | undefined, text: string): string =>
  port === SERVICE_PORT ? text.replace(`127.0.0.1:${SERVICE_PORT}`, `127.0.0.1:${SERVICE_PORT + 1}`) : text;

const demoOf = (name: string): PlannedFile => ({
  path: `demo/${name}`,
  content: templateFile(`openapi/demo/${name}`),
});

/** The example's service is one that gw starts, so that the first request has an answer. */
function withDemo(spec: string): string {
  const run = spec.replace(/^targets = .*$/m, 'run = { command = "node demo/books.mjs" }');
  if (run === spec) throw new Error('the import of the example document has no targets');
  return run;
}

function testFile(cases: readonly TestCase[]): string {
  return templateFile('shared/gateway.test.mjs').replace('  // CASES\n', () => cases.map(caseLine).join(''));
}

/** One case per line, formatted as by hand. */
function caseLine({ request, headers, route, status }: TestCase): string {
  const text = (value: string): string =>
    value.includes("'") ? JSON.stringify(value) : `'${value.replaceAll('\\', '\\\\')}'`;
  const fields = Object.entries(headers ?? {}).map(([name, value]) => `${text(name)}: ${text(value)}`);
  const parts = [
    `request: ${text(request)}`,
    ...(fields.length > 0 ? [`headers: { ${fields.join(', ')} }`] : []),
    `route: ${route === null ? 'null' : text(route)}`,
    ...(status === undefined ? [] : [`status: ${status}`]),
  ];
  return `  { ${parts.join(', ')} },\n`;
}
