/** What `gw init` writes: a template's spec with what belongs around it. */
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { specJsonSchema } from '../../spec/json-schema.js';
import { type ImportedSpec, importOpenApi } from '../openapi/index.js';
import { summary } from '../openapi/notes.js';
import { exampleCases, type TestCase } from './cases.js';
import type { PlannedFile } from './write.js';

export const TEMPLATES = ['minimal', 'services', 'mock', 'openapi'] as const;
export type Template = (typeof TEMPLATES)[number];

export interface InitPlan {
  readonly files: readonly PlannedFile[];
  /** The key that the spec holds the hash of; told once. */
  readonly apiKey: { readonly key: string; readonly consumer: string } | undefined;
  /** What could not be taken over from an OpenAPI document: each note, and a few lines for a terminal. */
  readonly notes: readonly string[];
  readonly shortNotes: readonly { readonly warning: boolean; readonly text: string }[];
  /** A request to try first, as arguments of curl. */
  readonly firstRequest: string;
}

export interface OpenApiSource {
  readonly name: string;
  readonly text: string;
}

const templateFile = (path: string): string =>
  readFileSync(new URL(`../../../../templates/${path}`, import.meta.url), 'utf8');

/** Throws Stop when `source` is no OpenAPI document that gw can read. */
export function initPlan(template: Template, source: OpenApiSource | undefined, version: string): InitPlan {
  const start = template === 'openapi' ? fromOpenApi(source) : fromTemplate(template);
  const shared: PlannedFile[] = [
    { path: 'gateway.schema.json', content: `${JSON.stringify(specJsonSchema(), null, 2)}\n` },
    { path: 'gateway.test.mjs', content: testFile(start.cases) },
    {
      path: '.github/workflows/gateway.yml',
      content: templateFile('shared/gateway.yml').replace('GW_VERSION', version),
    },
    { path: '.gitignore', content: templateFile('shared/gitignore'), merge: true },
  ];
  return {
    files: [{ path: 'gateway.toml', content: start.spec }, ...start.files, ...shared],
    apiKey: start.apiKey,
    notes: start.notes,
    shortNotes: start.shortNotes,
    firstRequest: firstRequest(start),
  };
}

function firstRequest({ address, cases, apiKey, keyPlaces }: Start): string {
  const first = cases.find(({ request }) => request.startsWith('GET '));
  const path = first?.request.slice('GET '.length) ?? '/';
  const places = (first?.route ? keyPlaces?.get(first.route) : undefined) ?? [];
  const key = apiKey?.key ?? '';
  const fields = places.flatMap((place) =>
    place.in === 'header' ? [`-H '${place.name.replaceAll("'", `'\\''`)}: ${key}' `] : [],
  );
  const query = places.flatMap((place) => (place.in === 'query' ? [`${encodeURIComponent(place.name)}=${key}`] : []));
  const url = `http://${address}${path}${query.length > 0 ? `?${query.join('&')}` : ''}`;
  // What a shell would read as its own.
  return `${fields.join('')}${/^[\w:/.,@%+~-]+$/.test(url) ? url : `'${url.replaceAll("'", '%27')}'`}`;
}

interface Start {
  readonly spec: string;
  readonly address: string;
  readonly cases: readonly TestCase[];
  readonly files: readonly PlannedFile[];
  readonly notes: readonly string[];
  readonly shortNotes: InitPlan['shortNotes'];
  readonly apiKey: InitPlan['apiKey'];
  /** By name of a route: where it reads keys. */
  readonly keyPlaces?: ImportedSpec['keyPlaces'];
}

function fromTemplate(template: Exclude<Template, 'openapi'>): Start {
  const spec = templateFile(`${template}/gateway.toml`);
  const cases = JSON.parse(templateFile(`${template}/cases.json`)) as TestCase[];
  const start = { address: '127.0.0.1:8080', cases, files: [], notes: [], shortNotes: [], apiKey: undefined };
  if (!spec.includes('API_KEY_SHA256')) return { ...start, spec };
  const apiKey = `gw_${randomBytes(24).toString('base64url')}`;
  const hash = createHash('sha256').update(apiKey).digest('hex');
  return { ...start, spec: spec.replace('API_KEY_SHA256', hash), apiKey: { key: apiKey, consumer: 'acme' } };
}

function fromOpenApi(given: OpenApiSource | undefined): Start {
  const source = given ?? { name: 'openapi.yaml', text: templateFile('openapi/openapi.yaml') };
  const imported = importOpenApi(source.text, source.name);
  const { apiKey, files, notes, remarks, openness, keyPlaces } = imported;
  const fragment: PlannedFile = {
    path: 'gateway.fragment.schema.json',
    content: `${JSON.stringify(specJsonSchema({ fragment: true }), null, 2)}\n`,
  };
  return {
    spec: imported.spec,
    address: imported.address,
    cases: exampleCases(imported.whole),
    files: [
      ...files,
      ...(files.length > 0 ? [fragment] : []),
      // The example document stays beside what was made of it; one's own is where it is already.
      ...(given ? [] : [{ path: source.name, content: source.text }]),
    ],
    notes,
    shortNotes: [...summary(remarks), ...(openness === undefined ? [] : [{ warning: false, text: openness }])],
    apiKey: apiKey === undefined ? undefined : { key: apiKey, consumer: 'first' },
    keyPlaces,
  };
}

function testFile(cases: readonly TestCase[]): string {
  return templateFile('shared/gateway.test.mjs').replace('  // CASES\n', () => cases.map(caseLine).join(''));
}

/** One case a line, as somebody would write it by hand. */
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
