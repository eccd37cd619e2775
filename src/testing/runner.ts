/** Runs the test files of custom policies: what `gw policy test` does. */
import { createRequire } from 'node:module';
import { relative } from 'node:path';
import { buildTest } from '../custom/bundle-code.js';
import { CodeError, type CodePlace, runModule, shown } from '../custom/evaluate.js';
import * as policyApi from '../custom/policy.js';
import type { Check } from './checks.js';
import * as testingApi from './index.js';

/** Milliseconds for one test. */
const TEST_LIMIT_MS = 30_000;

export interface TestOutcome {
  readonly name: string;
  /** Undefined: it passed. */
  readonly failure: string | undefined;
}

/** Runs one test file, from its absolute path. `root`: folder that places are relative to. Never rejects because of the file. */
export async function runTestFile(path: string, root: string): Promise<readonly TestOutcome[]> {
  const file = relative(root, path);
  const { code, faults } = buildTest(path, root);
  if (code === undefined) {
    return faults.map(({ message, place }) => ({ name: file, failure: `${message}${at(place)}` }));
  }
  const builtin = createRequire(path);
  const provide = (specifier: string): unknown => {
    if (specifier === 'gw/policy') return policyApi;
    return specifier === 'gw/policy/testing' ? testingApi : builtin(specifier);
  };
  testingApi.takeTests();
  const loaded = runLoaded(() => runModule(code.text, file, provide));
  if (loaded.failure !== undefined) return [{ name: file, failure: loaded.failure }];
  const { placeOf } = loaded.module!;
  const tests = testingApi.takeTests();
  if (tests.length === 0) return [{ name: file, failure: 'The file has no tests.' }];
  const outcomes: TestOutcome[] = [];
  for (const each of tests) outcomes.push({ name: each.name, failure: await failureOf(each, placeOf) });
  return outcomes;
}

type Loaded = { readonly module?: ReturnType<typeof runModule>; readonly failure?: string };

function runLoaded(run: () => ReturnType<typeof runModule>): Loaded {
  try {
    return { module: run() };
  } catch (error) {
    if (!(error instanceof CodeError)) throw error;
    return { failure: `${error.message}${at(error.place)}` };
  }
}

async function failureOf(
  { run }: Check,
  placeOf: (error: unknown) => CodePlace | undefined,
): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not finished within ${TEST_LIMIT_MS} ms`)), TEST_LIMIT_MS);
  });
  try {
    await Promise.race([run(), late]);
    return undefined;
  } catch (error) {
    const text = error instanceof Error ? error.message : shown(error);
    return `${text}${at(placeOf(error))}`;
  } finally {
    clearTimeout(timer);
  }
}

const at = (place: CodePlace | undefined): string =>
  place === undefined ? '' : `\n    at ${place.file}:${place.line}:${place.column}`;
