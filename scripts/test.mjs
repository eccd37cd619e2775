/**
 * `npm test [-- PATTERN...] [--no-coverage] [--no-build] [--verbose]`: installs what is missing, builds, runs every compiled test file,
 * checks the coverage floors, and closes with one line: `N passed, N failed[, N skipped]`. Files of integration and differential tests
 * have a process of their own; the unit tests of one folder share one, and so do some tests of the engine, since loading the code costs
 * more than most of them.
 *
 * A pattern is part of a test file's path (`cli/init`, `integration/`); with patterns no floor is checked.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { reportCoverage } from './coverage.mjs';
import { build, ensureInstalled, ROOT } from './ensure.mjs';
import { close, runAll, testFiles } from './run-tests.mjs';

const CONCURRENCY = 2;
/** Files that mostly wait for timers and other processes: they run one after the other beside the rest. */
const WAITING =
  /^(integration\/(dash-tmux|serve-(signals|process)|drain|causes|reload\/(complete|files)|cli-(process|package)|engine\/(fuzz|pipelining)|oidc\.|upstream-auth|idempotency-disk|disk-contents|aggregate-hostile|managed-targets|cache\/|engine\/(time-limits|overload|edge-cases))|control\/watch\/watch)/;
/** Files with a process of their own: they start servers and processes, or need a young heap. */
const ALONE = /^(integration|differential)\//;
/** Files that have only a data plane and a target, which they close: up to MOST_TOGETHER of them share a process. */
const TOGETHER =
  /^integration\/(engine|cache\/(?!admin|workers)|aggregate|grpc|http2|jwt|resilience|transform|(allow|authzen|block|callers|concurrency|guards|http-signature|idempotency(-hostile)?|introspect|policy-paths|secret-encoding|signed-calls|upstream-auth(-attempts)?)\.)/;
const MOST_TOGETHER = 16;
/** Files with a process of their own are not covered: they start more processes, each of which would write coverage of the same code. */
const isCovered = (file) => TOGETHER.test(file) || !ALONE.test(file);
/** Milliseconds. */
const FILE_TIMEOUT = 180_000;
/** Started first: the longest, so that the run does not end with one core idle. */
const FIRST = [/^differential\//, /^integration\//];

const words = process.argv.slice(2);
const patterns = words.filter((word) => !word.startsWith('--'));
const coverage = !words.includes('--no-coverage');

if (!words.includes('--no-build')) {
  ensureInstalled();
  build();
}

const coverageFolder = join(ROOT, 'coverage', 'raw');
if (coverage) {
  rmSync(join(ROOT, 'coverage'), { recursive: true, force: true });
  mkdirSync(coverageFolder, { recursive: true });
}

/** The process of a file: files with the same name share one. `at`: its place in the list. */
function processOf(file, at) {
  if (TOGETHER.test(file)) return `planes ${Math.floor(at / MOST_TOGETHER)}`;
  return ALONE.test(file) ? file : (/^[^/]+(?=\/)/.exec(file)?.[0] ?? '');
}

/** The files by process. */
function grouped(files) {
  const groups = new Map();
  for (const [at, file] of files.entries()) {
    const name = processOf(file, at);
    groups.set(name, [...(groups.get(name) ?? []), file]);
  }
  return [...groups.values()].map((group) => ({ files: group, covered: group.every(isCovered) }));
}

const rank = (file) => {
  const found = FIRST.findIndex((pattern) => pattern.test(file));
  return found === -1 ? FIRST.length : found;
};
const files = testFiles('.test.js', patterns).sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
if (files.length === 0) {
  console.error(`No test file matches ${patterns.join(' ')}.`);
  process.exit(2);
}

const started = performance.now();
const options = {
  timeout: FILE_TIMEOUT,
  verbose: words.includes('--verbose'),
  ...(coverage ? { coverageFolder } : {}),
};
const waiting = files.filter((file) => WAITING.test(file));
const others = files.filter((file) => !WAITING.test(file));
const totals = await Promise.all([
  runAll(grouped(others), { concurrency: CONCURRENCY, ...options }),
  runAll(grouped(waiting), { concurrency: 1, ...options }),
]);
const total = { passed: 0, failed: 0, skipped: 0 };
for (const part of totals) for (const [name, count] of Object.entries(part)) total[name] += count;

if (coverage) {
  const missed = await reportCoverage(coverageFolder);
  for (const line of missed) console.log(patterns.length === 0 ? `FAIL ${line}` : `     ${line}`);
  if (patterns.length === 0) total.failed += missed.length;
}
close(total, started);
