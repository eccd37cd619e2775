/** What `gw init` writes: a template's spec with what belongs around it. */
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { specJsonSchema } from '../../spec/json-schema.js';
import { importOpenApi } from '../openapi/index.js';
import { exampleCases, type TestCase } from './cases.js';
import type { PlannedFile } from './write.js';

export const TEMPLATES = ['minimal', 'services', 'mock', 'openapi'] as const;
export type Template = (typeof TEMPLATES)[number];

export interface InitPlan {
  readonly files: readonly PlannedFile[];
  /** The key that the spec holds the hash of; told once. */
  readonly apiKey: string | undefined;
  /** What could not be taken over from an OpenAPI document. */
  readonly notes: readonly string[];
  /** A URL to try first. */
  readonly firstUrl: string;
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
  const firstPath = start.cases.find(({ request }) => request.startsWith('GET '))?.request.slice('GET '.length) ?? '/';
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
    firstUrl: `http://${start.address}${firstPath}`,
  };
}

interface Start {
  readonly spec: string;
  readonly address: string;
  readonly cases: readonly TestCase[];
  readonly files: readonly PlannedFile[];
  readonly notes: readonly string[];
  readonly apiKey: string | undefined;
}

function fromTemplate(template: Exclude<Template, 'openapi'>): Start {
  const spec = templateFile(`${template}/gateway.toml`);
  const cases = JSON.parse(templateFile(`${template}/cases.json`)) as TestCase[];
  const start = { address: '127.0.0.1:8080', cases, files: [], notes: [], apiKey: undefined };
  if (!spec.includes('API_KEY_SHA256')) return { ...start, spec };
  const apiKey = `gw_${randomBytes(24).toString('base64url')}`;
  const hash = createHash('sha256').update(apiKey).digest('hex');
  return { ...start, spec: spec.replace('API_KEY_SHA256', hash), apiKey };
}

function fromOpenApi(given: OpenApiSource | undefined): Start {
  const source = given ?? { name: 'openapi.yaml', text: templateFile('openapi/openapi.yaml') };
  const imported = importOpenApi(source.text, source.name);
  return {
    spec: imported.spec,
    address: imported.address,
    cases: exampleCases(imported.spec),
    // The example document stays beside what was made of it; one's own is where it is already.
    files: given ? [] : [{ path: source.name, content: source.text }],
    notes: imported.notes,
    apiKey: undefined,
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
