/**
 * `npm test [-- PATTERN...] [--no-coverage] [--no-build] [--verbose]`: installs what is missing, builds, runs every compiled test file in a
 * process of its own, checks the coverage floors, and closes with one line: `N passed, N failed[, N skipped]`.
 *
 * A pattern is part of a test file's path (`cli/init`, `integration/`); with patterns no floor is checked.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { performance } from 'node:perf_hooks';
import { reportCoverage } from './coverage.mjs';
import { build, ensureInstalled, ROOT } from './ensure.mjs';

const CONCURRENCY = 2;
const FILE_TIMEOUT = 180_000;
/** From the last test to the end of the process: what has not ended by then was left open. */
const END_TIMEOUT = 20_000;
const TESTS = join(ROOT, 'dist', 'test');
/** Started first: the longest, so that the run does not end with one core idle. */
const FIRST = [/^differential\//, /^integration\//];

const words = process.argv.slice(2);
const patterns = words.filter((word) => !word.startsWith('--'));
const verbose = words.includes('--verbose');
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

function* testFiles(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* testFiles(path);
    else if (entry.name.endsWith('.test.js')) yield relative(TESTS, path).replaceAll('\\', '/');
  }
}

const rank = (file) => {
  const found = FIRST.findIndex((pattern) => pattern.test(file));
  return found === -1 ? FIRST.length : found;
};

const queue = [...(existsSync(TESTS) ? testFiles(TESTS) : [])]
  .filter((file) => patterns.length === 0 || patterns.some((pattern) => file.includes(pattern)))
  .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));

if (queue.length === 0) {
  console.error(`No test file matches ${patterns.join(' ')}.`);
  process.exit(2);
}

const running = new Set();
const total = { passed: 0, failed: 0, skipped: 0 };
const started = performance.now();

/** Ends a test file's process with all that it started. */
function kill(child) {
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

function runFile(file) {
  return new Promise((resolve) => {
    const env = { ...process.env, FORCE_COLOR: undefined, NO_COLOR: undefined, CI: undefined };
    for (const name of Object.keys(env)) if (env[name] === undefined || name.startsWith('npm_')) delete env[name];
    if (coverage) env.NODE_V8_COVERAGE = coverageFolder;
    const child = spawn(process.execPath, ['--enable-source-maps', join(TESTS, file)], {
      cwd: ROOT,
      env,
      // Its own group, so that a hung test goes with its children.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(child);
    const begun = performance.now();
    let output = '';
    let ending;
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
      if (ending === undefined && /^\s*Duration:/m.test(output)) ending = setTimeout(stop, END_TIMEOUT);
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    let timedOut = false;
    const stop = () => {
      timedOut = true;
      kill(child);
    };
    const timer = setTimeout(stop, FILE_TIMEOUT);
    const finish = () => {
      clearTimeout(timer);
      clearTimeout(ending);
      running.delete(child);
      kill(child);
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({
        file,
        output,
        code: child.exitCode,
        signal: child.signalCode,
        timedOut,
        tookMs: performance.now() - begun,
      });
    };
    child.on('close', finish);
    // A process that the test left behind may hold the pipes open for good.
    child.on('exit', () => setTimeout(finish, 2000).unref());
  });
}

/** uvu closes with `Total: N`, `Passed: N`, `Skipped: N`. A file that ends in any other way has failed. */
function count({ output, code, signal, timedOut }) {
  const number = (word) => Number(new RegExp(`^\\s*${word}:\\s+(\\d+)`, 'm').exec(output)?.[1] ?? Number.NaN);
  const [all, passed, skipped] = [number('Total'), number('Passed'), number('Skipped')];
  if (timedOut && Number.isNaN(all)) {
    return { passed: 0, failed: 1, skipped: 0, note: `no end after ${FILE_TIMEOUT / 1000} s` };
  }
  if (Number.isNaN(all))
    return { passed: 0, failed: 1, skipped: 0, note: `ran no tests (${signal ?? `exit ${code}`})` };
  const failed = all - passed;
  if (timedOut)
    return { passed, failed: Math.max(1, failed), skipped, note: 'left something open: did not end by itself' };
  if (failed === 0 && code !== 0)
    return { passed, failed: 1, skipped, note: `ended badly (${signal ?? `exit ${code}`})` };
  return { passed, failed, skipped, note: '' };
}

async function runner() {
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    const result = await runFile(file);
    const counted = count(result);
    total.passed += counted.passed;
    total.failed += counted.failed;
    total.skipped += counted.skipped;
    const name = file.replace(/\.test\.js$/, '');
    const seconds = (result.tookMs / 1000).toFixed(1);
    const notes = [counted.skipped > 0 ? `${counted.skipped} skipped` : '', counted.note].filter(Boolean).join(', ');
    const verdict = counted.failed > 0 ? 'FAIL' : 'ok  ';
    console.log(`${verdict} ${name}  ${counted.passed} passed, ${seconds} s${notes ? `, ${notes}` : ''}`);
    if (counted.skipped > 0)
      for (const line of new Set(result.output.match(/^skipped, since .*$/gm))) console.log(`     ${line}`);
    if (verbose || counted.failed > 0) console.log(result.output.replace(/^/gm, '     | '));
  }
}

function interrupted() {
  for (const child of running) kill(child);
  process.exit(1);
}
process.on('SIGINT', interrupted);
process.on('SIGTERM', interrupted);

await Promise.all(Array.from({ length: CONCURRENCY }, runner));

if (coverage) {
  const missed = await reportCoverage(coverageFolder);
  for (const line of missed) console.log(patterns.length === 0 ? `FAIL ${line}` : `     ${line}`);
  if (patterns.length === 0) total.failed += missed.length;
}

console.log(`\n${((performance.now() - started) / 1000).toFixed(0)} s`);
console.log(`${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`);
process.exitCode = total.failed > 0 ? 1 : 0;
