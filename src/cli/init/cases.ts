/** Example requests for an imported spec: the first cases of its test. */
import { example } from '../../schema/regex/dfa.js';
import { loadSpec } from '../../spec/index.js';
import type { RouteModel } from '../../spec/model.js';

export interface TestCase {
  readonly request: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly route: string | null;
  readonly status?: number;
}

const MOST_CASES = 5;

/** For routes of different shapes, a request that reaches each; a parameter's value is one that no literal spells. */
export function exampleCases(spec: string): TestCase[] {
  const { value: model } = loadSpec({ path: 'gateway.toml', text: spec });
  const seen = new Set<string>();
  const cases: TestCase[] = [];
  for (const route of model?.routes ?? []) {
    const shape = route.match.segments.map((segment) => segment.kind).join();
    if (seen.has(shape) || route.match.conditions.length > 0) continue;
    seen.add(shape);
    cases.push({ request: `${route.match.methods[0] ?? 'GET'} ${examplePath(route)}`, route: route.name });
    if (cases.length === MOST_CASES) break;
  }
  return cases;
}

function examplePath(route: RouteModel): string {
  const texts = route.match.segments.map((segment) => {
    if (segment.kind === 'literal') return segment.text;
    return segment.kind === 'typed' ? encodeURIComponent(example(segment.dfa, 1)) : `example-${segment.name}`;
  });
  return `/${texts.join('/')}`;
}
