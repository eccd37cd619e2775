/**
 * `npm run drills [-- PATTERN...] [--no-build] [--verbose]`: the long tests, test/drills/*.drill.ts, one after the other, so that
 * nothing but the drill itself loads the machine. Closes with one line: `N passed, N failed[, N skipped]`.
 */
import { performance } from 'node:perf_hooks';
import { build, ensureInstalled } from './ensure.mjs';
import { close, runAll, testFiles } from './run-tests.mjs';

/** Milliseconds. */
const DRILL_TIMEOUT = 900_000;

const words = process.argv.slice(2);
const patterns = words.filter((word) => !word.startsWith('--'));

if (!words.includes('--no-build')) {
  ensureInstalled();
  build();
}

const files = testFiles('.drill.js', patterns).sort();
if (files.length === 0) {
  console.error(patterns.length === 0 ? 'There are no drills.' : `No drill matches ${patterns.join(' ')}.`);
  process.exit(2);
}

const started = performance.now();
const groups = files.map((file) => ({ files: [file] }));
const total = await runAll(groups, { concurrency: 1, timeout: DRILL_TIMEOUT, verbose: words.includes('--verbose') });
close(total, started);
